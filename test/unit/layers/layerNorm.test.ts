import { test } from "vitest";
import { expectPyTorch } from "../../layers";

test("LayerNorm is PyTorch's", () => expectPyTorch({ type: "LayerNorm" }));

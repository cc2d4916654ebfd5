import { test } from "vitest";
import { expectPyTorch } from "../../layers";

test("GELU is PyTorch's", () => expectPyTorch({ type: "GELU" }));

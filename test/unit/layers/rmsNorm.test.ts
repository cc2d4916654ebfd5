import { test } from "vitest";
import { expectPyTorch } from "../../layers";

test("RMSNorm is PyTorch's", () => expectPyTorch({ type: "RMSNorm" }));

import { test } from "vitest";
import { expectPyTorch } from "../../layers";

test("ReLU is PyTorch's", () => expectPyTorch({ type: "ReLU" }));

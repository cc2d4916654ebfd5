import * as v from "valibot";
import type { LayerKind } from "../layer";

/** Replaces negative numbers by 0. */
export interface ReLUSpec {
  type: "ReLU";
}

/** max(x, 0). */
export const ReLU: LayerKind<ReLUSpec> = {
  schema: v.strictObject({ type: v.literal("ReLU") }),
  make: (spec, { name, inputShape }) => ({
    name,
    spec,
    inputShape,
    outputShape: inputShape,
    parameters: [],
    forward: (x) => x.relu(),
    onnx: (graph, input) => graph.node("Relu", [input], {}, name),
  }),
};

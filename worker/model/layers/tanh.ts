import * as v from "valibot";
import type { LayerKind } from "../layer";

/** The hyperbolic tangent of every number. */
export interface TanhSpec {
  type: "Tanh";
}

/** The lecture's `Tanh`. */
export const Tanh: LayerKind<TanhSpec> = {
  schema: v.strictObject({ type: v.literal("Tanh") }),
  make: (spec, { name, inputShape }) => ({
    name,
    spec,
    inputShape,
    outputShape: inputShape,
    parameters: [],
    block: { role: "tanh" },
    saturates: true,
    forward: (x) => x.tanh(),
    onnx: (graph, input) => graph.node("Tanh", [input], {}, name),
  }),
};

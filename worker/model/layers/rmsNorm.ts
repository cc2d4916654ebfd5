import * as v from "valibot";
import { between } from "../../validation";
import type { LayerKind } from "../layer";

/** Divides the channels of each position by the root of their mean square; it has no parameters. */
export interface RMSNormSpec {
  type: "RMSNorm";
  /** Added to the mean square, above 0 to 1. Default 1e-5. */
  epsilon?: number | undefined;
}

/** x / sqrt(mean(x^2) + epsilon) over the channels of each position (Zhang and Sennrich, 2019). */
export const RMSNorm: LayerKind<RMSNormSpec, RMSNormSpec & { epsilon: number }> = {
  schema: v.strictObject({ type: v.literal("RMSNorm"), epsilon: v.optional(between(0, 1, true), 1e-5) }),
  make: (spec, { name, inputShape }) => ({
    name,
    spec,
    inputShape,
    outputShape: inputShape,
    parameters: [],
    forward: (x) => x.div(x.square().mean(-1, true).add(spec.epsilon).sqrt()),
    onnx: (graph, input) => {
      const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
      const mean = graph.node("ReduceMean", [node("Mul", input, input)], { axes: { ints: [-1] } }, name);
      const root = node("Sqrt", node("Add", mean, graph.constant("float", [spec.epsilon], [], name)));
      return node("Div", input, root);
    },
  }),
};

import * as v from "valibot";
import type { LayerKind } from "../layer";

/** A smooth ReLU (Hendrycks and Gimpel, 2016), in its tanh form. */
export interface GELUSpec {
  type: "GELU";
}

/** GPT-2's constants: gelu(x) = x / 2 * (1 + tanh(SCALE * (x + CUBIC * x^3))). */
const SCALE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** The tanh form of x * P(normal number < x). */
export const GELU: LayerKind<GELUSpec> = {
  schema: v.strictObject({ type: v.literal("GELU") }),
  make: (spec, { name, inputShape }) => ({
    name,
    spec,
    inputShape,
    outputShape: inputShape,
    parameters: [],
    forward: (x) => {
      const inner = x.square().mul(CUBIC).add(1).mul(x).mul(SCALE);
      return x.mul(0.5).mul(inner.tanh().add(1));
    },
    onnx: (graph, input) => {
      const number = (value: number) => graph.constant("float", [value], [], name);
      const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
      // ONNX Runtime fuses this order of operators into FastGelu.
      const square = node("Mul", node("Mul", input, number(CUBIC)), input);
      const inner = node("Mul", node("Mul", input, number(SCALE)), node("Add", square, number(1)));
      return node("Mul", node("Mul", input, number(0.5)), node("Add", node("Tanh", inner), number(1)));
    },
  }),
};

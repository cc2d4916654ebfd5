import * as v from "valibot";
import type { OptimizerKind } from "./optimizer";

/** Plain stochastic gradient descent, as in the lecture. */
export interface SGD {
  type: "sgd";
}

/** p = p - rate g */
export const sgd: OptimizerKind<SGD, SGD, never> = {
  schema: v.strictObject({ type: v.literal("sgd") }),
  learningRate: 0.1,
  state: {},
  factors: (_, __, rate) => [rate],
  tfjs:
    (_, tf, [rate = tf.scalar(0)]) =>
    (p, g) => ({ p: p.sub(g.mul(rate)) }),
  wasm: (_, rules) => rules.useSGD(),
  wgsl: () => ({ p: "p - step.rate * g" }),
};

import * as v from "valibot";
import { between, type Complete } from "../validation";
import type { OptimizerKind } from "./optimizer";

/** AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay. */
export interface AdamW {
  type: "adamw";
  /** Decay of the mean of the gradients. Default 0.9. */
  beta1?: number | undefined;
  /** Decay of the mean of the squared gradients. Default 0.99. */
  beta2?: number | undefined;
  /** Added to the denominator. Default 1e-8. */
  epsilon?: number | undefined;
  /** Weight decay. Default 0.01. */
  weightDecay?: number | undefined;
}

const beta = between(0, 0.99999);

/**
 * m = beta1 m + (1 - beta1) g
 * v = beta2 v + (1 - beta2) g^2
 * p = keep p - rate m / (root sqrt(v) + epsilon)
 *
 * This is PyTorch's AdamW, with the bias corrections folded into `rate` and `root`.
 */
export const adamw: OptimizerKind<AdamW, Complete<AdamW>, "m" | "v"> = {
  schema: v.strictObject({
    type: v.literal("adamw"),
    beta1: v.optional(beta, 0.9),
    beta2: v.optional(beta, 0.99),
    epsilon: v.optional(between(0, 1, true), 1e-8),
    weightDecay: v.optional(between(0, 10), 0.01),
  }),
  learningRate: 2e-3,
  state: { m: {}, v: { nonNegative: true } },
  factors: ({ beta1, beta2, weightDecay }, t, rate) => [
    rate / (1 - beta1 ** t),
    1 / Math.sqrt(1 - beta2 ** t),
    1 - rate * weightDecay,
  ],
  tfjs: ({ beta1, beta2, epsilon }, tf, factors) => {
    const [rate, root, keep] = factors;
    if (!rate || !root || !keep) throw new Error("AdamW has three factors.");
    const [old1, old2] = [tf.scalar(beta1), tf.scalar(beta2)];
    const [new1, new2] = [tf.scalar(1 - beta1), tf.scalar(1 - beta2)];
    const smallest = tf.scalar(epsilon);
    return (p, g, state) => {
      const m = state.m.mul(old1).add(g.mul(new1));
      const v = state.v.mul(old2).add(g.square().mul(new2));
      const change = m.mul(rate).div(v.sqrt().mul(root).add(smallest));
      return { p: p.mul(keep).sub(change), m, v };
    };
  },
  wasm: ({ beta1, beta2, epsilon }, rules) => rules.useAdamW(beta1, beta2, epsilon),
  wgsl: ({ beta1, beta2, epsilon }) => ({
    m: `f32(${beta1}) * m + f32(${1 - beta1}) * g`,
    v: `f32(${beta2}) * v + f32(${1 - beta2}) * g * g`,
    p: `step.keep * p - step.rate * m / (step.root * sqrt(v) + f32(${epsilon}))`,
  }),
};

import * as v from "valibot";
import { between, type Complete } from "../validation";
import type { OptimizerKind } from "./optimizer";

/** Lion (Chen et al., 2023): every number moves by exactly the learning rate, by the sign of its momentum. */
export interface Lion {
  type: "lion";
  /** Weight of the momentum, against the gradient, in the direction of the step. Default 0.9. */
  beta1?: number | undefined;
  /** Share of the momentum that stays after a step. Default 0.99. */
  beta2?: number | undefined;
  /** Weight decay. Default 0.1, ten times AdamW's, as the paper advises, because Lion's learning rate is lower. */
  weightDecay?: number | undefined;
}

const beta = between(0, 0.99999);

/**
 * p = keep p - rate sign(beta1 m + (1 - beta1) g)
 * m = beta2 m + (1 - beta2) g
 */
export const lion: OptimizerKind<Lion, Complete<Lion>, "m"> = {
  schema: v.strictObject({
    type: v.literal("lion"),
    beta1: v.optional(beta, 0.9),
    beta2: v.optional(beta, 0.99),
    weightDecay: v.optional(between(0, 10), 0.1),
  }),
  learningRate: 2e-4,
  state: { m: {} },
  factors: ({ weightDecay }, _, rate) => [rate, 1 - rate * weightDecay],
  tfjs: ({ beta1, beta2 }, tf, [rate = tf.scalar(0), keep = tf.scalar(1)]) => {
    const [old1, new1] = [tf.scalar(beta1), tf.scalar(1 - beta1)];
    const [old2, new2] = [tf.scalar(beta2), tf.scalar(1 - beta2)];
    return (p, g, { m }) => ({
      p: p.mul(keep).sub(m.mul(old1).add(g.mul(new1)).sign().mul(rate)),
      m: m.mul(old2).add(g.mul(new2)),
    });
  },
};

import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerKind } from "../layer";
import { recurrentLayer } from "../recurrent";

/** An RNN whose gates decide how much of what it carries is replaced. */
export interface GRUSpec {
  type: "GRU";
  /** Numbers that it carries, and channels of its output, 1 to 4,096. */
  hidden: number;
}

/**
 * z = sigmoid([x, h] @ update), r = sigmoid([x, h] @ reset), n = tanh([x, r * h] @ candidate), each plus its bias,
 * and h = (1 - z) * h + z * n, with h from a learned `start`: makemore's `GRUCell` (Cho et al., 2014).
 */
export const GRU: LayerKind<GRUSpec> = {
  schema: v.strictObject({ type: v.literal("GRU"), hidden: whole(1, 4096) }),
  readsWords: () => true,
  make: (spec, place) =>
    recurrentLayer(spec, place, {
      weights: { update: spec.hidden, reset: spec.hidden, candidate: spec.hidden },
      step: ({ h, c }, gate) => {
        const z = gate("update", h).sigmoid();
        const r = gate("reset", h).sigmoid();
        const n = gate("candidate", r.mul(h)).tanh();
        return { h: h.add(z.mul(n.sub(h))), c };
      },
      nodes: {
        operator: "GRU",
        gates: 3,
        // ONNX's z is how much of h stays, which is 1 - z: the sigmoid of the negative.
        arrange: (write, part, axis) =>
          write.concat(axis, write.node("Neg", part("update")), part("reset"), part("candidate")),
        step: (write, h, gate) => {
          const z = write.node("Sigmoid", gate("update", h));
          const r = write.node("Sigmoid", gate("reset", h));
          const n = write.node("Tanh", gate("candidate", write.node("Mul", r, h)));
          return write.node("Add", h, write.node("Mul", z, write.node("Sub", n, h)));
        },
      },
    }),
};

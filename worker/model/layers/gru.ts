import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerKind } from "../layer";
import { recurrentLayer } from "../recurrent";

/** An RNN with gates that decide how much of its state is replaced. */
export interface GRUSpec {
  type: "GRU";
  /** Size of its state and its output, 1 to 4,096. */
  hidden: number;
}

/**
 * z = sigmoid([x, h] @ update), r = sigmoid([x, h] @ reset), n = tanh([x, r * h] @ candidate), with a bias added to each
 * product, and h = (1 - z) * h + z * n. The initial h is the learned `start`. makemore's `GRUCell` (Cho et al., 2014).
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
        // ONNX's z is the share of h that stays: 1 - sigmoid(x) = sigmoid(-x).
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

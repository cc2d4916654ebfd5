import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerKind } from "../layer";
import { recurrentLayer } from "../recurrent";

/** Reads a word position by position, and carries a state of `hidden` numbers. */
export interface RNNSpec {
  type: "RNN";
  /** Size of its state and its output, 1 to 4,096. */
  hidden: number;
}

/** h = tanh([x, h] @ weight + bias); the initial h is the learned `start`. makemore's `RNNCell` (Elman, 1990). */
export const RNN: LayerKind<RNNSpec> = {
  schema: v.strictObject({ type: v.literal("RNN"), hidden: whole(1, 4096) }),
  readsWords: () => true,
  make: (spec, place) =>
    recurrentLayer(spec, place, {
      weights: { "": spec.hidden },
      step: ({ h, c }, gate) => ({ h: gate("", h).tanh(), c }),
      nodes: {
        operator: "RNN",
        gates: 1,
        arrange: (_, part) => part(""),
        step: (write, h, gate) => write.node("Tanh", gate("", h)),
      },
    }),
};

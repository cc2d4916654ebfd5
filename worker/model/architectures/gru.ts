import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type RecurrentSizes, type ResolvedRecurrent, recurrentLayers, recurrentSizes } from "./recurrent";

/** The sizes of a gated recurrent network. The defaults are makemore's. */
export interface GRUSizes extends RecurrentSizes {
  type: "gru";
}

/** A gated recurrent cell over the characters of a word: 28,315 parameters for 26 letters. makemore's `RNN` with `GRUCell`. */
export const gru: Architecture<GRUSizes, ResolvedRecurrent<GRUSizes>> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("gru"), ...recurrentSizes }),
  layers: (sizes) => recurrentLayers("GRU", sizes),
};

import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type RecurrentSizes, type ResolvedRecurrent, recurrentLayers, recurrentSizes } from "./recurrent";

/** The sizes of a recurrent network. The defaults are makemore's. */
export interface RNNSizes extends RecurrentSizes {
  type: "rnn";
}

/** A plain recurrent cell over the characters of a word: 11,803 parameters for 26 letters. makemore's `RNN`. */
export const rnn: Architecture<RNNSizes, ResolvedRecurrent<RNNSizes>> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("rnn"), ...recurrentSizes }),
  layers: (sizes) => recurrentLayers("RNN", sizes),
};

import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type RecurrentSizes, type ResolvedRecurrent, recurrentLayers, recurrentSizes } from "./recurrent";

/** The sizes of an LSTM (long short-term memory). The defaults are those of makemore's RNN. */
export interface LSTMSizes extends RecurrentSizes {
  type: "lstm";
  /** Size of the output and of the memory that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** A recurrent cell with a memory besides its output: 36,571 parameters for 26 letters. makemore's `RNN` with an LSTM cell. */
export const lstm: Architecture<LSTMSizes, ResolvedRecurrent<LSTMSizes>> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("lstm"), ...recurrentSizes }),
  layers: (sizes) => recurrentLayers("LSTM", sizes),
};

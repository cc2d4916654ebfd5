import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";

/** The sizes of an LSTM (long short-term memory). The defaults are those of makemore's RNN. */
export interface LSTMSizes {
  type: "lstm";
  /** Length of each character's embedding vector. Default 64. */
  embedding?: number | undefined;
  /** Size of the output and of the memory that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** A recurrent cell with a memory besides its output: 36,571 parameters for 26 letters. makemore's `RNN` with an LSTM cell. */
export const lstm: Architecture<LSTMSizes, LSTMSizes & { embedding: number; hidden: number }> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("lstm"),
    embedding: v.optional(whole(1, 4096), 64),
    hidden: v.optional(whole(1, 4096), 64),
  }),
  layers: ({ embedding, hidden }) => [
    { type: "Embedding", dimensions: embedding },
    { type: "LSTM", hidden },
    { type: "Linear", std: hidden ** -0.5 },
  ],
};

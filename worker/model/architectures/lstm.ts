import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";

/** The sizes of a long short-term memory; every field has makemore's value as its default. */
export interface LSTMSizes {
  type: "lstm";
  /** Numbers a character is embedded in. Default 64. */
  embedding?: number | undefined;
  /** Numbers that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** A recurrent cell with a memory beside its output: 36,571 parameters for 26 letters. makemore's `RNN` with an LSTM for its cell. */
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

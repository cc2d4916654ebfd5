import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";

/** The sizes of a recurrent network. The defaults are makemore's. */
export interface RNNSizes {
  type: "rnn";
  /** Length of each character's embedding vector. Default 64. */
  embedding?: number | undefined;
  /** Size of the state that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** A plain recurrent cell over the characters of a word: 11,803 parameters for 26 letters. makemore's `RNN`. */
export const rnn: Architecture<RNNSizes, RNNSizes & { embedding: number; hidden: number }> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("rnn"),
    embedding: v.optional(whole(1, 4096), 64),
    hidden: v.optional(whole(1, 4096), 64),
  }),
  layers: ({ embedding, hidden }) => [
    { type: "Embedding", dimensions: embedding },
    { type: "RNN", hidden },
    { type: "Linear", std: hidden ** -0.5 },
  ],
};

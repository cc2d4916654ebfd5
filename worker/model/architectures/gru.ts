import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";

/** The sizes of a gated recurrent network. The defaults are makemore's. */
export interface GRUSizes {
  type: "gru";
  /** Length of each character's embedding vector. Default 64. */
  embedding?: number | undefined;
  /** Size of the state that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** A gated recurrent cell over the characters of a word: 28,315 parameters for 26 letters. makemore's `RNN` with `GRUCell`. */
export const gru: Architecture<GRUSizes, GRUSizes & { embedding: number; hidden: number }> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("gru"),
    embedding: v.optional(whole(1, 4096), 64),
    hidden: v.optional(whole(1, 4096), 64),
  }),
  layers: ({ embedding, hidden }) => [
    { type: "Embedding", dimensions: embedding },
    { type: "GRU", hidden },
    { type: "Linear", std: hidden ** -0.5 },
  ],
};

import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";

/** The sizes of a bag of words. The defaults are makemore's. */
export interface BoWSizes {
  type: "bow";
  /** Longest word that it can read, in characters plus one. Default: to fit the longest word of the list. */
  contextLength?: number | undefined;
  /** Length of each character's embedding vector. Default 64. */
  embedding?: number | undefined;
  /** Channels of the hidden layer. Default 64. */
  hidden?: number | undefined;
}

/**
 * Adds to each position the mean of the positions up to it, and then applies a small MLP: 12,827 parameters for 26
 * letters and context 16. makemore's `BoW`.
 */
export const bow: Architecture<BoWSizes, BoWSizes & { embedding: number; hidden: number }> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("bow"),
    contextLength: v.optional(whole(1, 256)),
    embedding: v.optional(whole(1, 4096), 64),
    hidden: v.optional(whole(1, 4096), 64),
  }),
  layers: ({ contextLength, embedding, hidden }, longest) => [
    { type: "Embedding", dimensions: embedding },
    { type: "PositionEmbedding", positions: contextLength ?? longest },
    { type: "Residual", layers: [{ type: "CausalMean" }] },
    {
      type: "Residual",
      layers: [{ type: "Linear", fanOut: hidden }, { type: "Tanh" }, { type: "Linear", fanOut: embedding }],
    },
    { type: "Linear", std: embedding ** -0.5 },
  ],
};

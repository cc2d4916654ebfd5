import * as v from "valibot";
import type { Architecture } from "./architecture";

/** The bigram, which has no sizes. */
export interface BigramSizes {
  type: "bigram";
}

/**
 * A table with a row of logits for each character: 729 parameters for 26 letters. It learns how often each character
 * follows each other one. makemore's `Bigram`.
 */
export const bigram: Architecture<BigramSizes> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("bigram") }),
  layers: () => [{ type: "Embedding", dimensions: "vocabulary", std: 0, reads: "word" }],
};

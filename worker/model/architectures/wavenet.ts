import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";
import type { Architecture } from "./architecture";

/** The sizes of a WaveNet tree. The defaults are the lecture's. */
export interface ModelSizes {
  /** Default `"wavenet"`. */
  type?: "wavenet" | undefined;
  /** Characters that the model sees. Default 8. */
  contextLength?: number | undefined;
  /** Length of each character's embedding vector. Default 24. */
  embedding?: number | undefined;
  /** Channels of each level. Default 128. */
  hidden?: number | undefined;
  /**
   * Positions that each level joins, from the characters up; their product must be `contextLength`. Default: its prime
   * factors, smallest first (2, 2, 2 for 8). A single fold of the whole context is the lecture's MLP.
   */
  folds?: readonly number[] | undefined;
}

/**
 * A tree: each level joins `fold` neighbours and applies Linear, BatchNorm1d and Tanh; a last Linear gives the logits.
 * WaveNet is by van den Oord et al. (2016). The defaults are the lecture's final model: 76,579 parameters for 26 letters.
 */
export const wavenet: Architecture<
  ModelSizes,
  ModelSizes & { type: "wavenet"; contextLength: number; embedding: number; hidden: number }
> = {
  example: "window",
  sizes: v.strictObject({
    type: v.optional(v.literal("wavenet"), "wavenet"),
    contextLength: v.optional(whole(1, 256), 8),
    embedding: v.optional(whole(1, 4096), 24),
    hidden: v.optional(whole(1, 4096), 128),
    folds: v.optional(v.pipe(v.array(whole(1, 256), "a list of whole numbers"), v.minLength(1, "not empty"))),
  }),
  layers: ({ contextLength, embedding, hidden, folds = primeFactors(contextLength) }) => {
    const product = folds.reduce((a, b) => a * b, 1);
    if (product !== contextLength)
      throw new MakemoreError(
        "INVALID_MODEL",
        `The folds ${folds.join(" x ")} join ${product} characters, but contextLength is ${contextLength}; they must be equal.`,
      );
    return [
      { type: "Embedding", dimensions: embedding },
      ...folds.flatMap((n): LayerSpec[] => [
        { type: "FlattenConsecutive", n },
        // BatchNorm1d subtracts the mean, so a bias before it would do nothing.
        { type: "Linear", fanOut: hidden, bias: false },
        { type: "BatchNorm1d" },
        { type: "Tanh" },
      ]),
      { type: "Linear" },
    ];
  },
};

/** Prime factors, smallest first: [2, 2, 2] for 8, [2, 2, 3] for 12, [7] for 7; [1] for 1. */
function primeFactors(n: number): number[] {
  const factors: number[] = [];
  for (let factor = 2; n > 1; factor++) for (; n % factor === 0; n /= factor) factors.push(factor);
  return factors.length > 0 ? factors : [1];
}

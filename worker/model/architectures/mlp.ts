import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";
import { wavenet } from "./wavenet";

/** Sizes of the MLP. */
interface MLPSizes {
  contextLength?: number | undefined;
  embedding?: number | undefined;
  hidden?: number | undefined;
}

/**
 * Where the lecture starts: the whole context in one fold, context 3, embedding 10, hidden 200 (12,097
 * parameters for 26 letters). Bengio et al., 2003.
 */
export const mlp: Architecture<MLPSizes, { contextLength: number; embedding: number; hidden: number }> = {
  sizes: v.strictObject({
    contextLength: v.optional(whole(1, 256), 3),
    embedding: v.optional(whole(1, 4096), 10),
    hidden: v.optional(whole(1, 4096), 200),
  }),
  layers: (sizes) => wavenet.layers({ ...sizes, folds: [sizes.contextLength] }),
};

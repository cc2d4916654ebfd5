import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";
import type { Architecture } from "./architecture";

/** The sizes of a microGPT; every field has the original's value as its default. */
export interface MicroGPTSizes {
  type: "microgpt";
  /** Blocks of attention and MLP. Default 1. */
  layers?: number | undefined;
  /** Heads of each attention; they divide `embedding`. Default 4. */
  heads?: number | undefined;
  /** Numbers a character is embedded in, and channels of each block. Default 16. */
  embedding?: number | undefined;
  /** Most positions of a word: its characters and one. Default: those of the longest word, 16 for makemore's names. */
  contextLength?: number | undefined;
}

/** For all weights. */
const STD = 0.02;

/**
 * Karpathy's microGPT: 4,192 parameters for 26 letters and context 16. A Transformer with RMSNorm, also after the
 * embeddings and not before the head, with ReLU, and without biases.
 */
export const microgpt: Architecture<
  MicroGPTSizes,
  MicroGPTSizes & { layers: number; heads: number; embedding: number }
> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("microgpt"),
    layers: v.optional(whole(1, 64), 1),
    heads: v.optional(whole(1, 1024), 4),
    embedding: v.optional(whole(1, 4096), 16),
    contextLength: v.optional(whole(1, 256)),
  }),
  layers: ({ layers, heads, embedding, contextLength }, longest) => [
    { type: "Embedding", dimensions: embedding, std: STD },
    { type: "PositionEmbedding", positions: contextLength ?? longest, std: STD },
    { type: "RMSNorm" },
    ...Array.from({ length: layers }, (): LayerSpec[] => [
      {
        type: "Residual",
        layers: [{ type: "RMSNorm" }, { type: "CausalSelfAttention", heads, bias: false, std: STD }],
      },
      {
        type: "Residual",
        layers: [
          { type: "RMSNorm" },
          { type: "Linear", fanOut: 4 * embedding, bias: false, std: STD },
          { type: "ReLU" },
          { type: "Linear", fanOut: embedding, bias: false, std: STD },
        ],
      },
    ]).flat(),
    { type: "Linear", bias: false, std: STD },
  ],
};

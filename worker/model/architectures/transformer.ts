import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";
import type { Architecture } from "./architecture";

/** The sizes of a Transformer; every field has makemore's value as its default. */
export interface TransformerSizes {
  type: "transformer";
  /** Blocks of attention and MLP. Default 4. */
  layers?: number | undefined;
  /** Heads of each attention; they divide `embedding`. Default 4. */
  heads?: number | undefined;
  /** Numbers a character is embedded in, and channels of each block. Default 64. */
  embedding?: number | undefined;
  /** Most positions of a word: its characters and one. Default: those of the longest word. */
  contextLength?: number | undefined;
}

/** GPT-2's, for all weights but those of the norms. */
const STD = 0.02;

/**
 * GPT-2 in small, which makemore.py trains by default: 204,544 parameters for 26 letters and context 16, its head
 * counted. In each block, attention and then an MLP of four times the channels; a LayerNorm before each.
 */
export const transformer: Architecture<
  TransformerSizes,
  TransformerSizes & { layers: number; heads: number; embedding: number }
> = {
  example: "word",
  sizes: v.strictObject({
    type: v.literal("transformer"),
    layers: v.optional(whole(1, 64), 4),
    heads: v.optional(whole(1, 1024), 4),
    embedding: v.optional(whole(1, 4096), 64),
    contextLength: v.optional(whole(1, 256)),
  }),
  layers: ({ layers, heads, embedding, contextLength }, longest) => [
    { type: "Embedding", dimensions: embedding, std: STD },
    { type: "PositionEmbedding", positions: contextLength ?? longest, std: STD },
    ...Array.from({ length: layers }, (): LayerSpec[] => [
      {
        type: "Residual",
        layers: [{ type: "LayerNorm" }, { type: "CausalSelfAttention", heads, std: STD }],
      },
      {
        type: "Residual",
        layers: [
          { type: "LayerNorm" },
          { type: "Linear", fanOut: 4 * embedding, std: STD },
          { type: "GELU" },
          { type: "Linear", fanOut: embedding, std: STD },
        ],
      },
    ]).flat(),
    { type: "LayerNorm" },
    { type: "Linear", bias: false, std: STD },
  ],
};

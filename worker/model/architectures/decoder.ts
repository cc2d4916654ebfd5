/**
 * What the Transformer and microGPT share: GPT-2's blocks. Each block adds the output of attention to its input, and then
 * the output of an MLP:
 *
 *     x = x + attention(norm(x))
 *     x = x + linear(activation(linear(norm(x))))
 */
import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";

export interface DecoderSizes {
  /** Number of blocks. Default 4; 1 for microGPT. */
  layers?: number | undefined;
  /** Attention heads per block; must divide `embedding`. Default 4. */
  heads?: number | undefined;
  /** Length of each character's embedding vector, and channels of each block. Default 64; 16 for microGPT. */
  embedding?: number | undefined;
  /** Channels of the hidden layer of each block's MLP. Default: four times `embedding`. */
  hidden?: number | undefined;
  /** Longest word that it can read, in characters plus one. Default: to fit the longest word of the list. */
  contextLength?: number | undefined;
}

/** Sizes with their defaults; those of `hidden` and `contextLength` depend on other sizes and on the words. */
export type ResolvedDecoder<Sizes extends DecoderSizes> = Sizes & {
  layers: number;
  heads: number;
  embedding: number;
};

/** Standard deviation of all initial weights, as in GPT-2. */
export const STD = 0.02;

/** The schema of `DecoderSizes`, without its type. */
export function decoderSizes(layers: number, embedding: number) {
  return {
    layers: v.optional(whole(1, 64), layers),
    heads: v.optional(whole(1, 1024), 4),
    embedding: v.optional(whole(1, 4096), embedding),
    hidden: v.optional(whole(1, 4 * 4096)),
    contextLength: v.optional(whole(1, 256)),
  };
}

/** The layers of all blocks. */
export function decoderBlocks(
  { layers, heads, embedding, hidden = 4 * embedding }: ResolvedDecoder<DecoderSizes>,
  { norm, activation, bias }: { norm: LayerSpec; activation: LayerSpec; bias: boolean },
): LayerSpec[] {
  const block: LayerSpec[] = [
    { type: "Residual", layers: [norm, { type: "CausalSelfAttention", heads, bias, std: STD }] },
    {
      type: "Residual",
      layers: [
        norm,
        { type: "Linear", fanOut: hidden, bias, std: STD },
        activation,
        { type: "Linear", fanOut: embedding, bias, std: STD },
      ],
    },
  ];
  return Array.from({ length: layers }, () => block).flat();
}

/**
 * What the Transformer and microGPT share: GPT-2's blocks. Each adds to its input what attention makes of it, and then
 * what an MLP makes of that:
 *
 *     x = x + attention(norm(x))
 *     x = x + linear(activation(linear(norm(x))))
 */
import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";

export interface DecoderSizes {
  /** Blocks of attention and MLP. Default 4; microGPT's is 1. */
  layers?: number | undefined;
  /** Heads of each attention; they divide `embedding`. Default 4. */
  heads?: number | undefined;
  /** Numbers a character is embedded in, and channels of each block. Default 64; microGPT's is 16. */
  embedding?: number | undefined;
  /** Channels of the hidden layer of each block's MLP. Default: four times `embedding`. */
  hidden?: number | undefined;
  /** Most positions of a word: its characters and one. Default: those of the longest word. */
  contextLength?: number | undefined;
}

/** Sizes with their defaults; the two that are left depend on others and on the words. */
export type ResolvedDecoder<Sizes extends DecoderSizes> = Sizes & {
  layers: number;
  heads: number;
  embedding: number;
};

/** Standard deviation of all weights before training, as GPT-2 has it. */
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

/** The blocks, one after the other. */
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

import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type DecoderSizes, decoderBlocks, decoderSizes, type ResolvedDecoder, STD } from "./decoder";

/** The sizes of a Transformer; every field has makemore's value as its default. */
export interface TransformerSizes extends DecoderSizes {
  type: "transformer";
}

/**
 * GPT-2 in small, which makemore.py trains by default: 204,544 parameters for 26 letters and context 16, its head
 * counted. In each block, attention and then an MLP of four times the channels; a LayerNorm before each.
 */
export const transformer: Architecture<TransformerSizes, ResolvedDecoder<TransformerSizes>> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("transformer"), ...decoderSizes(4, 64) }),
  layers: (sizes, longest) => [
    { type: "Embedding", dimensions: sizes.embedding, std: STD },
    { type: "PositionEmbedding", positions: sizes.contextLength ?? longest, std: STD },
    ...decoderBlocks(sizes, { norm: { type: "LayerNorm" }, activation: { type: "GELU" }, bias: true }),
    { type: "LayerNorm" },
    { type: "Linear", bias: false, std: STD },
  ],
};

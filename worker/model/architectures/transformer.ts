import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type DecoderSizes, decoderBlocks, decoderSizes, type ResolvedDecoder, STD } from "./decoder";

/** The sizes of a Transformer. The defaults are makemore's. */
export interface TransformerSizes extends DecoderSizes {
  type: "transformer";
}

/**
 * A small GPT-2, the model that makemore.py trains by default: 204,544 parameters for 26 letters and context 16,
 * including the head. Each block is attention, then an MLP with four times the channels, each after a LayerNorm.
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

import * as v from "valibot";
import type { Architecture } from "./architecture";
import { type DecoderSizes, decoderBlocks, decoderSizes, type ResolvedDecoder, STD } from "./decoder";

/** The sizes of microGPT. The defaults are those of the original. */
export interface MicroGPTSizes extends DecoderSizes {
  type: "microgpt";
}

/**
 * Karpathy's microGPT: 4,192 parameters for 26 letters and context 16. A Transformer with RMSNorm and ReLU and without
 * biases. It also normalises after the embeddings, but not before the head.
 */
export const microgpt: Architecture<MicroGPTSizes, ResolvedDecoder<MicroGPTSizes>> = {
  example: "word",
  sizes: v.strictObject({ type: v.literal("microgpt"), ...decoderSizes(1, 16) }),
  layers: (sizes, longest) => [
    { type: "Embedding", dimensions: sizes.embedding, std: STD },
    { type: "PositionEmbedding", positions: sizes.contextLength ?? longest, std: STD },
    { type: "RMSNorm" },
    ...decoderBlocks(sizes, { norm: { type: "RMSNorm" }, activation: { type: "ReLU" }, bias: false }),
    { type: "Linear", bias: false, std: STD },
  ],
};

/** Where the parameters of a model lie in the kernels' memory, and in which order. */
import type { BlockChain } from "../../model/blocks";
import type { Kernels } from "./exports";

/** One parameter in memory. A trainable one is followed by the optimiser's state, in the same order. */
export interface StoredParameter {
  readonly name: string;
  readonly trainable: boolean;
  readonly address: number;
  /** Numbers, without padding and with it. */
  readonly length: number;
  readonly padded: number;
  /** The place of row-major element i. */
  place(i: number): number;
}

/** Every parameter of the chain, running statistics included. */
export function memoryLayout(chain: BlockChain, kernels: Kernels): StoredParameter[] {
  const { embedding, blocks, vocabularySize } = chain;
  const width = padTo8(embedding.dimensions);
  const list: StoredParameter[] = [
    {
      name: embedding.weight,
      trainable: true,
      address: kernels.embeddingAddress(),
      length: vocabularySize * embedding.dimensions,
      padded: vocabularySize * width,
      place: (i) => Math.floor(i / embedding.dimensions) * width + (i % embedding.dimensions),
    },
  ];
  for (const [level, { fold, fanIn, fanOut, weight, bias, norm }] of blocks.entries()) {
    const vector = (name: string, trainable: boolean, address: number): StoredParameter => ({
      name,
      trainable,
      address,
      length: fanOut,
      padded: padTo8(fanOut),
      place: (i) => i,
    });
    list.push({
      name: weight,
      trainable: true,
      address: kernels.weightAddress(level),
      length: fanIn * fanOut,
      padded: fold * padTo8(fanIn / fold) * padTo8(fanOut),
      place: weightPlace(fanIn / fold, fanOut),
    });
    if (bias) list.push(vector(bias, true, kernels.biasAddress(level)));
    if (norm)
      list.push(
        vector(norm.gamma, true, kernels.gammaAddress(level)),
        vector(norm.beta, true, kernels.betaAddress(level)),
        vector(norm.runningMean, false, kernels.runningMeanAddress(level)),
        vector(norm.runningVariance, false, kernels.runningVarianceAddress(level)),
      );
  }
  return list;
}

/** [slot * channels + channel, p] is kept as [slot][p / 8][channel][p % 8]; see kernels/level.ts. */
function weightPlace(channels: number, fanOut: number): (i: number) => number {
  const paddedChannels = padTo8(channels);
  const panels = padTo8(fanOut) / 8;
  return (i) => {
    const row = Math.floor(i / fanOut);
    const p = i % fanOut;
    const panel = Math.floor(row / channels) * panels + Math.floor(p / 8);
    return (panel * paddedChannels + (row % channels)) * 8 + (p % 8);
  };
}

/** The next multiple of 8: channels are padded to it. */
export function padTo8(n: number): number {
  return Math.ceil(n / 8) * 8;
}

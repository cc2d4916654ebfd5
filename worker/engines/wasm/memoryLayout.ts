/** Addresses and element order of a model's parameters in the kernels' memory. */
import type { BlockChain } from "../../model/blocks";
import type { Kernels } from "./exports";

/** One parameter in memory. The optimiser's state follows a trainable one, in the same element order. */
export interface StoredParameter {
  readonly name: string;
  readonly trainable: boolean;
  readonly address: number;
  /** Number of elements, without and with padding. */
  readonly length: number;
  readonly padded: number;
  /** Index in memory of row-major element i. */
  place(i: number): number;
  /** Number of consecutive elements that are consecutive in memory, too. Divides `length`. Default: 1. */
  readonly together?: number;
}

/** Lists every parameter of the chain, running statistics included. */
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
      together: embedding.dimensions,
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
      together: fanOut,
    });
    list.push({
      name: weight,
      trainable: true,
      address: kernels.weightAddress(level),
      length: fanIn * fanOut,
      padded: fold * padTo8(fanIn / fold) * padTo8(fanOut),
      place: weightPlace(fanIn / fold, fanOut),
      together: fanOut % 8 === 0 ? 8 : 1,
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

/** [slot * channels + channel, p] is stored as [slot][p / 8][channel][p % 8]; see kernels/level.ts. */
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

/** Rounds up to a multiple of 8, to which channels are padded. */
export function padTo8(n: number): number {
  return Math.ceil(n / 8) * 8;
}

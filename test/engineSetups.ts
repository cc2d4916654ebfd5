/** Networks, optimisers and words for the tests of all engines. */
import type { AdamW, LayerSpec, SGD } from "../src/types";
import type { TokenStream } from "../worker/data/dataset";
import type { EngineSetup } from "../worker/engines/engine";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, initialParameters, type Network } from "../worker/model/network";
import type { Complete } from "../worker/validation";

export const sgd: SGD = { type: "sgd" };
export const adamw: Complete<AdamW> = {
  type: "adamw",
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.01,
};
/**
 * If a gradient is 0 except for rounding, Adam with a small epsilon turns the rounding error's sign into a whole
 * step, and no two implementations agree. With this epsilon they do.
 */
export const smoothAdamw: Complete<AdamW> = { ...adamw, epsilon: 1e-3 };

/** A network that compiles quickly but has every part: two levels with norm and tanh, and a head with bias. */
export const small = buildNetwork(architecture({ contextLength: 4, embedding: 5, hidden: 12 }), 11);

/** Words of all lengths up to 10 over ids 1 to vocabularySize - 1. The number of bytes is no multiple of 4. */
export function someStream(vocabularySize: number): TokenStream {
  const tokens = [0];
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k <= i % 10; k++) tokens.push(1 + ((i * 7 + k * k * 3) % (vocabularySize - 1)));
    tokens.push(0);
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

/** Like `someStream`, but the last two ids are groups; the words begin with one or the other in turn. */
export function groupedStream(vocabularySize: number): TokenStream {
  const stream = someStream(vocabularySize - 2);
  const tokens: number[] = [];
  for (const [i, token] of stream.entries()) {
    tokens.push(token);
    if (token === 0 && i < stream.length - 1) tokens.push(vocabularySize - 2 + (i % 2));
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

export function someSetup(network: Network, change: Partial<EngineSetup> = {}): EngineSetup {
  return {
    network,
    parameters: initialParameters(network, 1),
    optimizer: adamw,
    stream: someStream(network.vocabularySize),
    // Above 2^31, because an engine must read it as unsigned.
    seed: 4_000_000_007,
    batchSize: 8,
    ...change,
  };
}

/** Makes a different rate per step, so that tests notice a step with the wrong rate. */
export function someRates(steps: number, peak = 0.01): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: steps }, (_, i) => peak / (1 + i / 8));
}

/** A network to train, and the batch size. */
export interface Sizes {
  readonly name: string;
  readonly specs: readonly LayerSpec[];
  readonly vocabulary: number;
  readonly batchSize: number;
}

/** Blocks that differ from the lecture's in every possible way, and sizes that need padding. */
export const oddSizes: readonly Sizes[] = [
  {
    name: "vocabulary 2, hidden 5, batch 1, biases and no norm",
    specs: [
      { type: "Embedding", dimensions: 3 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 5 },
      { type: "Tanh" },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 5 },
      { type: "Tanh" },
      { type: "Linear" },
    ],
    vocabulary: 2,
    batchSize: 1,
  },
  {
    name: "vocabulary 28, hidden 68, folds 3 and 4, batch 7",
    specs: architecture({ contextLength: 12, embedding: 10, hidden: 68, folds: [3, 4] }),
    vocabulary: 28,
    batchSize: 7,
  },
  {
    name: "vocabulary 300, hidden 200, batch 100",
    specs: architecture({ contextLength: 4, embedding: 24, hidden: 200 }),
    vocabulary: 300,
    batchSize: 100,
  },
  {
    name: "no tanh, no norm, no bias, a Linear that joins nothing, a head that joins 3",
    specs: [
      { type: "Embedding", dimensions: 6 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 9, bias: false },
      { type: "BatchNorm1d", momentum: 0.3, epsilon: 1e-3 },
      { type: "Linear", fanOut: 10, bias: false },
      { type: "Tanh" },
      { type: "Linear", fanOut: 17 },
      { type: "FlattenConsecutive", n: 3 },
      { type: "Linear", bias: false },
    ],
    vocabulary: 11,
    batchSize: 7,
  },
  {
    name: "batch 4,096",
    specs: architecture({ contextLength: 3, embedding: 2, hidden: 5 }),
    vocabulary: 5,
    batchSize: 4096,
  },
];

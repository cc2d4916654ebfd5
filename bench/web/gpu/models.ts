/** The models and sizes to measure, and the setup of their engines. */
import { buildDataset } from "../../../worker/data/dataset";
import type { EngineSetup } from "../../../worker/engines/engine";
import { architecture } from "../../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../../worker/model/network";
import type { Optimizer } from "../../../worker/optimizers";
import { settings } from "./settings";

export const sgd: Optimizer = { type: "sgd" };
export const adamw: Optimizer = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };

export interface Size {
  readonly name: string;
  readonly model: Parameters<typeof architecture>[0];
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  /** PyTorch's microseconds per step, compiled and in a CUDA graph, on an NVIDIA H200. */
  readonly pytorch?: number;
}

const wide = (hidden: number, embedding: number) => ({ hidden, embedding });

/** In the order of docs/performance.md: the five with a measurement of PyTorch come first. */
const all: readonly Size[] = [
  { name: "batch 32, SGD", model: "wavenet", batchSize: 32, optimizer: sgd, pytorch: 105 },
  { name: "batch 64, AdamW", model: "wavenet", batchSize: 64, optimizer: adamw, pytorch: 142 },
  { name: "batch 256, AdamW", model: "wavenet", batchSize: 256, optimizer: adamw, pytorch: 165 },
  { name: "hidden 512, batch 256", model: wide(512, 48), batchSize: 256, optimizer: adamw, pytorch: 297 },
  { name: "hidden 1024, batch 256", model: wide(1024, 64), batchSize: 256, optimizer: adamw, pytorch: 507 },
  { name: "batch 128, AdamW", model: "wavenet", batchSize: 128, optimizer: adamw },
  { name: "batch 1024, AdamW", model: "wavenet", batchSize: 1024, optimizer: adamw },
  { name: "hidden 256, batch 64", model: wide(256, 32), batchSize: 64, optimizer: adamw },
  { name: "hidden 512, batch 64", model: wide(512, 48), batchSize: 64, optimizer: adamw },
  { name: "hidden 1024, batch 64", model: wide(1024, 64), batchSize: 64, optimizer: adamw },
  { name: "mlp, batch 32, SGD", model: "mlp", batchSize: 32, optimizer: sgd },
];
export const sizes = all.filter(
  ({ name }) => settings.sizes?.some((wanted) => name.startsWith(wanted)) ?? true,
);

const SEED = 42;
let words: Promise<string> | undefined;

/** The words that everything here trains on. */
export function loadWords(): Promise<string> {
  words ??= fetch("./words.txt").then((response) => {
    if (!response.ok) throw new Error(`words.txt: status ${response.status}`);
    return response.text();
  });
  return words;
}

/** Builds an engine's setup at step 0. */
export async function setUp({ model, batchSize, optimizer }: Omit<Size, "name">): Promise<EngineSetup> {
  const data = buildDataset(await loadWords(), { seed: SEED, split: [0.8, 0.1, 0.1], shuffle: true });
  const network = buildNetwork(architecture(model), data.vocabulary.size);
  const parameters = initialParameters(network, SEED);
  return { network, parameters, optimizer, stream: data.train, seed: SEED, batchSize };
}

/**
 * Predictions with the training kernels. BatchNorm1d in evaluation mode scales and shifts each channel. Both are
 * folded into the Linear before it, so the kernels get a network without norms.
 */
import { MakemoreError } from "../../../src/errors";
import type { Block, BlockChain } from "../../model/blocks";
import type { Parameters } from "../../model/layer";
import type { Network } from "../../model/network";
import type { Predictor } from "../predictor";
import { type Build, withKernels } from "./builds";
import type { Kernels } from "./exports";
import { memoryLayout } from "./memoryLayout";
import { ParameterMemory } from "./parameterMemory";
import { createWordPredictor } from "./wordPredictor";

/** Maximum number of contexts per pass: enough to share rows, few enough to stay in the cache. */
const BATCH_SIZE = 128;

/**
 * Makes a predictor for a network of blocks (worker/model/blocks.ts) or one that reads words; see
 * `PredictorFactory`.
 */
export async function createWasmPredictor(network: Network, most: number, build?: Build): Promise<Predictor> {
  const { chain } = network;
  if (network.example === "word") return createWordPredictor(network, most, build);
  if (!chain) throw new MakemoreError("UNSUPPORTED", "The wasm kernels do not cover this list of layers.");
  return withKernels(build, (kernels) => new WasmPredictor(kernels, chain, Math.min(BATCH_SIZE, most)));
}

class WasmPredictor implements Predictor {
  readonly #chain: BlockChain;
  readonly #logits: number;
  readonly #parameters: ParameterMemory;
  /** Undefined once disposed. */
  #kernels: Kernels | undefined;

  constructor(
    kernels: Kernels,
    chain: BlockChain,
    readonly batchSize: number,
  ) {
    this.#chain = chain;
    const { contextLength, vocabularySize, embedding, blocks } = withoutNorms(chain);
    kernels.useSGD();
    // Contexts are passed in, so there is no token stream.
    kernels.begin(0, 0, batchSize, contextLength, vocabularySize, embedding.dimensions);
    for (const { fold, fanOut, bias, tanh } of blocks)
      kernels.addLevel(fold, fanOut, bias !== undefined, tanh);
    this.#logits = kernels.allocateNumbers(batchSize * vocabularySize);
    this.#parameters = new ParameterMemory(kernels, memoryLayout(withoutNorms(chain), kernels), {
      type: "sgd",
    });
    this.#kernels = kernels;
  }

  load(parameters: Parameters): void {
    const kernels = this.#running();
    this.#parameters.write({ parameters: foldNorms(this.#chain, parameters) });
    kernels.refresh();
  }

  async predict(contexts: Uint32Array): Promise<Float32Array> {
    const kernels = this.#running();
    const { contextLength, vocabularySize } = this.#chain;
    const count = contexts.length / contextLength;
    const tokens = new Uint32Array(
      kernels.memory.buffer,
      kernels.contextsAddress(),
      contextLength * this.batchSize,
    );
    for (let row = 0; row < this.batchSize; row++) {
      // Fill the batch with repeats of the first context, which share its rows and cost little.
      const from = row < count ? row * contextLength : 0;
      for (let i = 0; i < contextLength; i++) tokens[i * this.batchSize + row] = contexts[from + i] ?? 0;
    }
    kernels.predict(this.#logits);
    return new Float32Array(kernels.memory.buffer, this.#logits, count * vocabularySize);
  }

  dispose(): void {
    this.#kernels = undefined;
  }

  #running(): Kernels {
    if (!this.#kernels) throw new MakemoreError("DISPOSED", "This predictor was disposed; make a new one.");
    return this.#kernels;
  }
}

/** Replaces each norm of the chain with a bias. */
function withoutNorms(chain: BlockChain): BlockChain {
  return {
    ...chain,
    blocks: chain.blocks.map(({ norm, ...block }) => (norm ? { ...block, bias: biasOf(block) } : block)),
  };
}

function biasOf({ name, bias }: Omit<Block, "norm">): string {
  return bias ?? `${name}.bias`;
}

/** Computes the parameters of `withoutNorms`. */
function foldNorms({ blocks }: BlockChain, parameters: Parameters): Parameters {
  const folded = new Map(parameters);
  const value = (name: string, i: number) => parameters.get(name)?.[i] ?? 0;
  for (const { norm, ...block } of blocks) {
    if (!norm) continue;
    const weight = new Float32Array(parameters.get(block.weight) ?? []);
    const bias = new Float32Array(block.fanOut);
    for (let c = 0; c < block.fanOut; c++) {
      const scale = value(norm.gamma, c) / Math.sqrt(value(norm.runningVariance, c) + norm.epsilon);
      for (let i = c; i < weight.length; i += block.fanOut) weight[i] = (weight[i] ?? 0) * scale;
      const offset = block.bias === undefined ? 0 : value(block.bias, c);
      bias[c] = (offset - value(norm.runningMean, c)) * scale + value(norm.beta, c);
    }
    folded.set(block.weight, weight);
    folded.set(biasOf(block), bias);
  }
  return folded;
}

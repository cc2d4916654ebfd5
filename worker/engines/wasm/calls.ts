/** What both ways through the kernels share: how tables get into their memory, and how a chunk of steps is run. */
import type { EngineSetup } from "../engine";
import { stepFactors } from "../optimizer";
import type { Kernels } from "./exports";

/** Steps of one call into the kernels; a longer chunk takes several. */
export const STEPS_PER_CALL = 1024;

/** Tables that are allocated one by one, and copied once the kernels' memory no longer grows. */
export class Tables {
  readonly #kernels: Kernels;
  readonly #copies: [to: number, from: Uint32Array<ArrayBuffer>][] = [];

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Allocates a table; gives its address. */
  place(from: Uint32Array<ArrayBuffer>): number {
    const to = this.#kernels.allocateNumbers(from.length);
    this.#copies.push([to, from]);
    return to;
  }

  /** Copies every table to its place. */
  copy(): void {
    const { buffer } = this.#kernels.memory;
    for (const [to, from] of this.#copies) new Uint32Array(buffer, to, from.length).set(from);
  }
}

/** A chunk of steps, as `Engine.run` takes it, and where the kernels expect its parts. */
interface Chunk extends Pick<EngineSetup, "optimizer" | "batchSize"> {
  readonly firstStep: number;
  readonly learningRates: Float32Array;
  readonly positions: Uint32Array | undefined;
  /** Addresses of the tables of factors and losses, and of one given minibatch. */
  readonly factors: number;
  readonly losses: number;
  readonly given: number;
}

/**
 * Runs a chunk of steps.
 *
 * @param train calls the kernels for the steps from `step` on, one for each of `rates`
 * @returns the loss of each step
 */
export function runInCalls(
  { memory: { buffer } }: Kernels,
  chunk: Chunk,
  train: (step: number, rates: Float32Array) => void,
): Float32Array<ArrayBuffer> {
  const { optimizer, batchSize, firstStep, learningRates, positions } = chunk;
  const losses = new Float32Array(learningRates.length);
  // A given minibatch fills the place of one, so they go step by step.
  const stride = positions ? 1 : STEPS_PER_CALL;
  for (let done = 0; done < losses.length; done += stride) {
    const rates = learningRates.subarray(done, done + stride);
    const factors = stepFactors(optimizer, firstStep + done, rates);
    new Float32Array(buffer, chunk.factors, factors.length).set(factors);
    if (positions)
      new Uint32Array(buffer, chunk.given, batchSize).set(
        positions.subarray(done * batchSize, (done + 1) * batchSize),
      );
    train(firstStep + done, rates);
    losses.set(new Float32Array(buffer, chunk.losses, rates.length), done);
  }
  return losses;
}

/** Shared by both wasm engines (for windows and for words): copying tables into memory, running a chunk of steps. */
import { type TeacherTargets, teacherWeight } from "../../data/examples";
import type { EngineSetup } from "../engine";
import { FACTORS, stepFactors } from "../optimizer";
import type { Kernels } from "./exports";
import { padTo8 } from "./memoryLayout";

/** Maximum number of steps per call into the kernels; a longer chunk takes several calls. */
const STEPS_PER_CALL = 1024;

/** Allocates tables one by one, and copies them once the kernels' memory no longer grows. */
export class Tables {
  readonly #kernels: Kernels;
  readonly #copies: [to: number, from: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>][] = [];

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Allocates a table and returns its address. */
  place(from: Uint32Array<ArrayBuffer>): number {
    const to = this.#kernels.allocateNumbers(from.length);
    this.#copies.push([to, from]);
    return to;
  }

  /** Like `place` for the teacher's probabilities, with each row padded to a multiple of 8; 0 without a teacher. */
  placeTeacher(teacher: TeacherTargets | undefined, vocabularySize: number): number {
    if (!teacher) return 0;
    const width = padTo8(vocabularySize);
    const rows = teacher.shares.length / vocabularySize;
    const to = this.#kernels.allocateNumbers(rows * width);
    for (let row = 0; row < rows; row++)
      this.#copies.push([
        to + 4 * row * width,
        teacher.shares.subarray(row * vocabularySize, (row + 1) * vocabularySize),
      ]);
    return to;
  }

  /** Copies every table to its place. */
  copy(): void {
    const { buffer } = this.#kernels.memory;
    for (const [to, from] of this.#copies)
      new Uint8Array(buffer, to, from.byteLength).set(
        new Uint8Array(from.buffer, from.byteOffset, from.byteLength),
      );
  }
}

/** Addresses of the tables with one entry per step of a call, [STEPS_PER_CALL]. */
interface StepTables {
  readonly factors: number;
  readonly teacherWeights: number;
  readonly losses: number;
}

export function allocateSteps(kernels: Kernels): StepTables {
  return {
    factors: kernels.allocateNumbers(STEPS_PER_CALL * FACTORS),
    teacherWeights: kernels.allocateNumbers(STEPS_PER_CALL),
    losses: kernels.allocateNumbers(STEPS_PER_CALL),
  };
}

/** A chunk of steps, as `Engine.run` takes it, and the kernels' addresses for it. */
interface Chunk extends StepTables, Pick<EngineSetup, "optimizer" | "seed" | "batchSize"> {
  readonly teacher: TeacherTargets | undefined;
  readonly firstStep: number;
  readonly learningRates: Float32Array;
  readonly positions: Uint32Array | undefined;
  /** Address for the minibatch that a caller chose. */
  readonly given: number;
}

/**
 * Runs a chunk of steps.
 *
 * @param train the kernels' training function
 * @returns the loss of each step
 */
export function runInCalls(
  { memory: { buffer } }: Kernels,
  chunk: Chunk,
  train: Kernels["train"],
): Float32Array<ArrayBuffer> {
  const { optimizer, teacher, seed, batchSize, firstStep, learningRates, positions } = chunk;
  const { factors, teacherWeights, losses: out } = chunk;
  const losses = new Float32Array(learningRates.length);
  // There is memory for one chosen minibatch, so those run one step per call.
  const stride = positions ? 1 : STEPS_PER_CALL;
  for (let done = 0; done < losses.length; done += stride) {
    const rates = learningRates.subarray(done, done + stride);
    const step = firstStep + done;
    const ofSteps = stepFactors(optimizer, step, rates);
    new Float32Array(buffer, factors, ofSteps.length).set(ofSteps);
    const weights = rates.map((_, i) => teacherWeight(teacher, step + i));
    new Float32Array(buffer, teacherWeights, weights.length).set(weights);
    if (positions)
      new Uint32Array(buffer, chunk.given, batchSize).set(
        positions.subarray(done * batchSize, (done + 1) * batchSize),
      );
    train(step, rates.length, seed, factors, teacherWeights, out, positions !== undefined);
    losses.set(new Float32Array(buffer, out, rates.length), done);
  }
  return losses;
}

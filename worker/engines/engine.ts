/**
 * What trains. Think of an engine as a place where a model's numbers live while they learn:
 * WebAssembly memory, GPU buffers, tfjs tensors. It is handed everything at the start, runs steps
 * by the chunk, and gives the numbers back when asked. Nothing above this file knows which engine
 * runs, or how: the trainer sizes the chunks, keeps the schedule, and decides what happens
 * between two of them.
 *
 * An engine is right when it follows PyTorch to float32 rounding (test/fixtures), and draws its
 * minibatches as `drawMinibatch` in worker/data/examples.ts does, or `drawWords` in wordExamples.ts.
 */
import type { TokenStream } from "../data/dataset";
import type { Examples } from "../data/examples";
import type { WordExamples } from "../data/wordExamples";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import type { Optimizer } from "../optimizers";
import type { OptimizerState } from "../optimizers/optimizer";
import type { Backend } from "./index";
import type { Predictor } from "./predictor";
import type * as TfjsChunk from "./tfjsChunk";

/** All that an engine needs to know, once. It copies what it keeps. */
export interface EngineSetup {
  readonly network: Network;
  /** Values of every parameter of the network, running statistics included. */
  readonly parameters: Parameters;
  readonly optimizer: Optimizer;
  /** Absent at the start of a training (all zeros), and for an optimiser without state. */
  readonly optimizerState?: OptimizerState;
  /** The training split. */
  readonly stream: TokenStream;
  /**
   * How its examples are drawn (worker/data/examples.ts, and wordExamples.ts for a network that reads words);
   * absent for random order and hard targets.
   */
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
}

/** The numbers that learn, as copies that belong to the caller. */
export interface EngineState {
  readonly parameters: Parameters;
  /** Absent for an optimiser without state. */
  readonly optimizerState?: OptimizerState;
}

export interface Engine {
  readonly backend: Backend;
  /** What it runs on, for people: `"relaxed-simd"`, an adapter's name, … */
  readonly device: string;
  /**
   * Runs one step for each learning rate.
   *
   * @param firstStep steps done since the training began: the key of the minibatches
   * @param learningRates one a step; the chunk's length
   * @param positions the minibatches as positions in the stream (of the words' first tokens, for a network that
   *   reads words), [steps, batchSize], instead of drawing them, with hard targets: how tests feed PyTorch's own
   *   batches
   * @returns the loss of each step: mean cross entropy against the targets, nats. Soft targets give the
   *   same expectation as hard ones, with less noise.
   */
  run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): Promise<Float32Array>;
  /** Where the numbers stand. Not to be called while `run` is under way. */
  read(): Promise<EngineState>;
  /** Gives back all memory, on every device. Safe to call twice. */
  dispose(): void;
}

/** The package's other files, for engines whose code or data is large. */
export interface EngineFiles {
  /** Loads the chunk, once. */
  tfjs(): Promise<typeof TfjsChunk>;
  /** Where tfjs's own WebAssembly is served. */
  tfjsWasmURL(): string;
}

/**
 * What a folder of this room defines: an engine as it is known before its code is loaded. Its name is that
 * in `list.ts`.
 */
export interface EngineKind {
  /**
   * An engine that cannot go on gives way to the one of the next lower rank. The one of the lowest trains
   * what the others refuse, and is never measured.
   */
  readonly rank: number;
  /** Why it does not train this on any machine, or undefined if it does. */
  refuses(setup: Pick<EngineSetup, "network" | "optimizer" | "examples">): string | undefined;
  /** What it would run on here, and why it is not worth measuring. Default: it is. */
  look?(): Promise<{ readonly device: string; readonly skipped?: string }>;
  /** Milliseconds within which it must have been measured. Default: no limit. */
  readonly patience?: number;
  /**
   * Makes the engine.
   *
   * @throws MakemoreError `UNSUPPORTED` if this network or this machine is not for it
   */
  open(setup: EngineSetup, files: EngineFiles): Promise<Engine>;
  /** Makes a predictor, as a `PredictorFactory` does. Default: the next engine's by rank is taken. */
  openPredictor?(network: Network, most: number, files: EngineFiles): Promise<Predictor>;
}

/**
 * Makes an engine, or throws `MakemoreError` `UNSUPPORTED` where this network or this machine is
 * not for it.
 */
export type EngineFactory = (setup: EngineSetup) => Promise<Engine>;

/**
 * What `run` and `read` reject with when the engine's device is gone (a GPU reset, its memory
 * exhausted): the numbers of the last `read` are good, the engine is not, and another one can go on
 * from them.
 */
export class EngineLost extends Error {
  override readonly name = "EngineLost";
}

/** By name, because the engines come in files of their own, each with its own copy of the class. */
export function isEngineLost(error: unknown): error is EngineLost {
  return error instanceof Error && error.name === "EngineLost";
}

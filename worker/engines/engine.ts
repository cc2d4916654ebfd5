/**
 * The interface of an engine, which trains. An engine holds a model's numbers while they learn, in
 * WebAssembly memory, GPU buffers or tfjs tensors. It gets everything at the start, runs steps in
 * chunks, and returns the numbers on request. The code above this file does not depend on which
 * engine runs: it sizes the chunks, keeps the schedule, and decides what happens between chunks.
 *
 * A correct engine follows PyTorch to float32 rounding (test/fixtures), and draws the same
 * minibatches as `drawMinibatch` (worker/data/examples.ts) or `drawWords` (wordExamples.ts).
 */
import type { TokenStream } from "../data/dataset";
import type { Examples } from "../data/examples";
import type { WordExamples } from "../data/wordExamples";
import type { Example, Parameters } from "../model/layer";
import type { Network } from "../model/network";
import type { Optimizer } from "../optimizers";
import type { OptimizerState } from "../optimizers/optimizer";
import type { Backend } from "./index";
import type { Predictor } from "./predictor";
import type * as TfjsChunk from "./tfjsChunk";
import type * as WebGPUChunk from "./webgpu";

/** Everything that an engine gets at the start. It copies what it keeps. */
export interface EngineSetup {
  readonly network: Network;
  /** Values of every parameter of the network, running statistics included. */
  readonly parameters: Parameters;
  readonly optimizer: Optimizer;
  /** Absent at step 0 (all zeros), and for an optimiser without state. */
  readonly optimizerState?: OptimizerState;
  /** The training split. */
  readonly stream: TokenStream;
  /**
   * How to draw the examples: worker/data/examples.ts, or wordExamples.ts for a network that reads words.
   * Absent for random order and hard targets.
   */
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
}

/** The trained numbers, as copies that belong to the caller. */
export interface EngineState {
  readonly parameters: Parameters;
  /** Absent for an optimiser without state. */
  readonly optimizerState?: OptimizerState;
}

export interface Engine {
  readonly backend: Backend;
  /** What it runs on, as readable text: `"relaxed-simd"`, an adapter's name, … */
  readonly device: string;
  /**
   * Runs one step for each learning rate.
   *
   * @param firstStep steps done since the training began; it also seeds the minibatches
   * @param learningRates one per step; its length is the number of steps
   * @param positions the minibatches to use instead of drawn ones, with hard targets, [steps, batchSize]:
   *   positions in the stream, or of the words' first tokens if the network reads words. Tests pass PyTorch's
   *   batches here.
   * @returns the loss of each step: mean cross entropy against the targets, nats. Soft targets give the
   *   same expected loss as hard ones, with less noise.
   */
  run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): Promise<Float32Array>;
  /** Copies the current numbers. Do not call it while `run` is running. */
  read(): Promise<EngineState>;
  /**
   * Sets the numbers; an absent optimiser state becomes zero. The engine then runs like a new one, with the same
   * bits. Do not call it while `run` is running.
   */
  write(state: EngineState): Promise<void>;
  /** Frees all memory, on every device. Safe to call twice. */
  dispose(): void;
}

/** The package's other files, which hold the code and data of the large engines. */
export interface EngineFiles {
  /** Loads the fused WebGPU engine on the first call. */
  webgpu(): Promise<typeof WebGPUChunk>;
  /** Loads what needs tfjs on the first call. */
  tfjs(): Promise<typeof TfjsChunk>;
  /** URL of tfjs's own WebAssembly. */
  tfjsWasmURL(): string;
}

/**
 * What each engine's `kind.ts` defines: everything known before the engine's code is loaded. Its name is its
 * export name in `list.ts`.
 */
export interface EngineKind {
  /**
   * An engine that cannot go on is replaced by the one of the next lower rank. The engine of the lowest rank
   * trains what the others refuse, and is never benchmarked.
   */
  readonly rank: number;
  /** Returns why it cannot train this setup on any machine, or undefined if it can. */
  refuses(setup: Pick<EngineSetup, "network" | "optimizer" | "examples">): string | undefined;
  /** Returns its device on this machine, and `skipped` if it is not worth a benchmark. Default: it is. */
  look?(): Promise<{ readonly device: string; readonly skipped?: string }>;
  /**
   * Begins to load and open what `open` needs, while the words are still being prepared. Its failure is ignored,
   * because `open` then reports it.
   */
  warmUp?(example: Example, files: EngineFiles): Promise<unknown>;
  /** Timeout of its benchmark, ms. Default: no limit. */
  readonly patience?: number;
  /**
   * Makes the engine.
   *
   * @throws MakemoreError `UNSUPPORTED` if it cannot run this network or does not run on this machine
   */
  open(setup: EngineSetup, files: EngineFiles): Promise<Engine>;
  /** Makes a predictor, as a `PredictorFactory` does. Default: the engine of the next lower rank makes it. */
  openPredictor?(network: Network, most: number, files: EngineFiles): Promise<Predictor>;
}

/** An `EngineKind` with its files. */
export interface EngineFactory {
  /**
   * Makes an engine, or throws `MakemoreError` `UNSUPPORTED` if it cannot run this network or does not run on
   * this machine.
   */
  (setup: EngineSetup): Promise<Engine>;
  /** See `EngineKind`. */
  warmUp?(example: Example): Promise<unknown> | undefined;
}

/**
 * Rejection of `run` and `read` when the engine's device is lost (a GPU reset, or out of memory). The engine
 * is unusable then, but another one can go on from the numbers of the last `read`.
 */
export class EngineLost extends Error {
  override readonly name = "EngineLost";
}

/** Compares the name, because each chunk has its own copy of the class. */
export function isEngineLost(error: unknown): error is EngineLost {
  return error instanceof Error && error.name === "EngineLost";
}

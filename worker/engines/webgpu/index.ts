/**
 * The fused WebGPU engine. A training step is a list of about ten kernels. A chunk of steps records this
 * list many times, in a few submits that do not wait for each other. The GPU draws the minibatches
 * itself, and sends back only the losses.
 *
 * All buffers, pipelines and bind groups are made once. What differs per step (its number, the optimiser's
 * factors) is in a table that is uploaded once per chunk. docs/webgpu.md has the whole plan, and a figure.
 */

import { MakemoreError } from "../../../src/errors";
import { delay } from "../../../src/slices";
import { teacherOf, teacherWeight, windowExamples } from "../../data/examples";
import { type Optimizer, stateOf } from "../../optimizers";
import { type Engine, EngineLost, type EngineSetup, type EngineState } from "../engine";
import { type OpenedGPU, openGPU } from "../gpu/device";
import { FACTORS, stepFactors } from "../optimizer";
import { inErrorScopes, onLoss } from "./deviceErrors";
import { uploadedExamples } from "./examples";
import { stepKernels } from "./kernels";
import { lossKernel } from "./kernels/loss";
import { GPU_SHAPE, type Shape, SOFTWARE_SHAPE } from "./kernels/workgroup";
import { Memory, type Place } from "./memory";
import { Buffers, NO_CHARACTER, planChain } from "./plan";
import { Program } from "./program";
import { supportedChain } from "./supports";

/** A parameter on the GPU. */
export interface SharedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly buffer: GPUBuffer;
  readonly place: Place;
}

/** An engine whose parameters others can use on the GPU, as tfjs does (worker/engines/tfjs/sharedTensors.ts). */
export interface WebGPUEngine extends Engine {
  /**
   * Returns where each parameter is. Only `run` and `write` change them.
   *
   * @param flush called before they do; submits the commands that read the parameters
   * @throws EngineLost if the device was lost
   */
  share(flush: () => void): SharedParameter[];
}

/** Internal settings; users do not choose them. */
export interface WebGPUEngineOptions {
  /** Sizes of the workgroups. Default: `GPU_SHAPE`, or `SOFTWARE_SHAPE` for a software adapter. */
  readonly shape?: Shape;
}

/** Makes an engine for any chain of blocks, on the thread's GPU device. */
export async function createWebGPUEngine(
  setup: EngineSetup,
  options: WebGPUEngineOptions = {},
): Promise<WebGPUEngine> {
  const chain = supportedChain(setup);
  if (typeof chain === "string") throw new MakemoreError("UNSUPPORTED", chain);
  const gpu = await openGPU();
  const { device } = gpu;
  const { optimizer, stream, seed, batchSize } = setup;
  const states = stateOf(optimizer).map(([state]) => state);
  const plan = planChain(chain, batchSize, states.length);
  const { tables, words, teacher } = uploadedExamples(windowExamples(setup.examples), chain.vocabularySize);
  const capacity = chunkCapacity(batchSize);
  const shape = options.shape ?? (gpu.software ? SOFTWARE_SHAPE : GPU_SHAPE);
  const memory = new Memory(device, plan, states, {
    [Buffers.steps]: Program.tableSize(capacity),
    [Buffers.stream]: stream.byteLength,
    [Buffers.examples]: Math.max(4, words.byteLength),
    [Buffers.teacher]: Math.max(16, teacher.byteLength),
    [Buffers.positions]: capacity * batchSize * 4,
    [Buffers.exampleLosses]: capacity * batchSize * 4,
    [Buffers.losses]: capacity * 4,
  });
  try {
    const program = await inErrorScopes(device, async () => {
      memory.allocate();
      memory.write(setup);
      memory.writeWhole(Buffers.stream, stream);
      memory.writeWhole(Buffers.examples, words);
      memory.writeWhole(Buffers.teacher, teacher);
      memory.writeWhole(
        Buffers.tokens,
        new Uint32Array(memory.buffer(Buffers.tokens).size / 4).fill(NO_CHARACTER),
      );
      const kernels = stepKernels(plan, { stream, seed, tables }, optimizer, shape);
      return Program.compile(device, memory, kernels, lossKernel(plan));
    });
    return new FusedEngine(gpu, setup, memory, program, capacity);
  } catch (cause) {
    memory.dispose();
    if (cause instanceof MakemoreError) throw cause;
    throw new MakemoreError(
      "UNSUPPORTED",
      `The GPU (${gpu.name}) cannot train this model: ${messageOf(cause)} Use the wasm backend.`,
      { cause },
    );
  }
}

/**
 * Steps per submit. The browser records the next submit while the GPU works on the current one. On an
 * NVIDIA H200, 8 to 64 steps were equally fast, and one submit per chunk was up to twice as slow:
 * docs/performance.md.
 */
const STEPS_PER_SUBMIT = 32;

/** Maximum number of steps per chunk; `run` splits longer runs into several chunks. */
function chunkCapacity(batchSize: number): number {
  // Keeps the buffers of positions and of example losses within 2 MB each.
  return Math.min(2048, Math.max(64, Math.floor(2 ** 19 / batchSize)));
}

class FusedEngine implements WebGPUEngine {
  readonly backend = "webgpu";
  readonly device: string;
  readonly #gpu: GPUDevice;
  readonly #optimizer: Optimizer;
  readonly #batchSize: number;
  readonly #teacherWeight: (step: number) => number;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #memory: Memory;
  readonly #program: Program;
  readonly #capacity: number;
  readonly #ignoreLoss: () => void;
  /** Submits commands of others that read our buffers. */
  #flush = () => {};
  /** Why the engine cannot go on; undefined while it can. */
  #lost: EngineLost | undefined;
  /** Rejects the running call. */
  #reject: ((error: EngineLost) => void) | undefined;

  constructor(gpu: OpenedGPU, setup: EngineSetup, memory: Memory, program: Program, capacity: number) {
    this.device = gpu.name;
    this.#gpu = gpu.device;
    this.#optimizer = setup.optimizer;
    this.#batchSize = setup.batchSize;
    const examples = windowExamples(setup.examples);
    const teacher = teacherOf(examples);
    this.#teacherWeight = (step) => teacherWeight(teacher, step);
    this.#shapes = new Map(setup.network.parameters.map(({ name, shape }) => [name, shape]));
    this.#memory = memory;
    this.#program = program;
    this.#capacity = capacity;
    this.#ignoreLoss = onLoss(gpu.device, (error) => this.#lose(error));
  }

  async run(firstStep: number, learningRates: Float32Array, positions?: Uint32Array): Promise<Float32Array> {
    const losses = new Float32Array(learningRates.length);
    for (let at = 0; at < losses.length; at += this.#capacity) {
      const end = Math.min(losses.length, at + this.#capacity);
      const factors = stepFactors(this.#optimizer, firstStep + at, learningRates.subarray(at, end));
      const batches = positions?.slice(at * this.#batchSize, end * this.#batchSize);
      losses.set(await this.#chunk(firstStep + at, factors, batches), at);
    }
    return losses;
  }

  #chunk(
    firstStep: number,
    factors: Float32Array,
    positions: Uint32Array<ArrayBuffer> | undefined,
  ): Promise<Float32Array> {
    return this.#guarded(async () => {
      this.#flush();
      const count = factors.length / FACTORS;
      if (positions) this.#memory.writeWhole(Buffers.positions, positions);
      this.#program.uploadSteps(firstStep, factors, this.#teacherWeight, positions !== undefined);
      for (let from = 0; from < count; from += STEPS_PER_SUBMIT) {
        const to = Math.min(count, from + STEPS_PER_SUBMIT);
        const encoder = this.#gpu.createCommandEncoder();
        this.#program.encodeSteps(encoder, from, to);
        if (to === count) {
          this.#program.encodeEnd(encoder, count);
          this.#memory.stageLosses(encoder, count);
        }
        this.#gpu.queue.submit([encoder.finish()]);
      }
      return this.#memory.stagedLosses(count, count <= STEPS_PER_SUBMIT);
    });
  }

  read(): Promise<EngineState> {
    return this.#guarded(async () => {
      const encoder = this.#gpu.createCommandEncoder();
      this.#memory.stageState(encoder);
      this.#gpu.queue.submit([encoder.finish()]);
      return this.#memory.stagedState();
    });
  }

  write(state: EngineState): Promise<void> {
    return this.#guarded(async () => {
      this.#flush();
      this.#memory.write(state);
    });
  }

  share(flush: () => void): SharedParameter[] {
    if (this.#lost) throw this.#lost;
    this.#flush = flush;
    return [...this.#memory.places].map(([name, { value: place }]) => {
      const shape = this.#shapes.get(name) ?? [];
      return { name, shape, buffer: this.#memory.buffer(place.buffer), place };
    });
  }

  dispose(): void {
    this.#lose(new EngineLost("The engine was disposed of."));
    this.#memory.dispose();
  }

  /** Runs `work` on the GPU. Any failure ends the engine and is thrown as an `EngineLost`. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#lost) throw this.#lost;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        inErrorScopes(this.#gpu, work).then(resolve, reject);
      });
    } catch (cause) {
      // A lost device reports its loss shortly after the operation fails. Wait for it, so that the next engine
      // does not get this device.
      if (!(cause instanceof EngineLost)) await Promise.race([this.#gpu.lost, delay(LOSS_NEWS_MS)]);
      const error =
        cause instanceof EngineLost
          ? cause
          : new EngineLost(`The GPU (${this.device}) failed: ${messageOf(cause)}`, { cause });
      this.#lose(error);
      throw this.#lost ?? error;
    } finally {
      this.#reject = undefined;
    }
  }

  #lose(error: EngineLost): void {
    this.#lost ??= error;
    this.#ignoreLoss();
    this.#reject?.(error);
  }
}

/** Time to wait after a failure for the device to report its loss, ms. */
const LOSS_NEWS_MS = 100;

/** Returns the message of an Error, or of a GPUError, which is not an Error. */
function messageOf(cause: unknown): string {
  return cause instanceof Error || cause instanceof GPUError ? cause.message : String(cause);
}

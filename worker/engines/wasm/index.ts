/**
 * The JavaScript side of the SIMD WebAssembly engine: lays out a model in the kernels' memory, runs
 * chunks of steps, and reads the numbers back. kernels/index.ts explains what happens within a step.
 */
import { MakemoreError } from "../../../src/errors";
import { type TeacherTargets, teacherOf, teacherWeight } from "../../data/examples";
import { optimizerKind } from "../../optimizers";
import type { Engine, EngineSetup, EngineState } from "../engine";
import { FACTORS, stepFactors } from "../optimizer";
import { type Build, withKernels } from "./builds";
import { chainProgram } from "./chainProgram";
import type { Kernels } from "./exports";
import { ParameterMemory } from "./parameterMemory";
import type { Program } from "./program";
import { refusal } from "./supports";
import { Tables } from "./tables";
import { wordProgram } from "./wordProgram";

/** Maximum number of steps per call into the kernels; a longer chunk takes several calls. */
const STEPS_PER_CALL = 1024;

/**
 * Makes the engine for a network of blocks (worker/model/blocks.ts), or for one that reads words (plan.ts).
 *
 * @param build default: the best that this machine can run
 */
export async function createWasmEngine(setup: EngineSetup, build?: Build): Promise<Engine> {
  const refused = refusal(setup);
  if (refused) throw new MakemoreError("UNSUPPORTED", refused);
  return withKernels(
    build,
    (kernels, device) => new WasmEngine(device, kernels, setup),
    `A model of ${setup.network.parameters.length} tensors at batchSize ${setup.batchSize} needs more memory than the wasm engine can have; take a smaller batchSize or fewer channels.`,
  );
}

class WasmEngine implements Engine {
  readonly backend = "wasm";
  /** Undefined once disposed. */
  #kernels: Kernels | undefined;
  readonly #setup: Pick<EngineSetup, "optimizer" | "seed" | "batchSize">;
  readonly #teacher: TeacherTargets | undefined;
  readonly #program: Program;
  readonly #parameters: ParameterMemory;
  /** Addresses of the tables with one entry per step of a call, [STEPS_PER_CALL]. */
  readonly #factors: number;
  readonly #teacherWeights: number;
  readonly #losses: number;

  constructor(
    readonly device: Build,
    kernels: Kernels,
    setup: EngineSetup,
  ) {
    const { network, optimizer, seed, batchSize, stream, examples } = setup;
    this.#setup = { optimizer, seed, batchSize };
    this.#teacher = teacherOf(examples);
    optimizerKind(optimizer).wasm?.(optimizer, kernels);
    const tables = new Tables(kernels);
    const tokens = kernels.allocateStream(stream.length);
    const makeProgram = network.example === "word" ? wordProgram : chainProgram;
    this.#program = makeProgram(kernels, setup, tables, tokens);
    this.#factors = kernels.allocateNumbers(STEPS_PER_CALL * FACTORS);
    this.#teacherWeights = kernels.allocateNumbers(STEPS_PER_CALL);
    this.#losses = kernels.allocateNumbers(STEPS_PER_CALL);
    this.#kernels = kernels;
    this.#parameters = new ParameterMemory(kernels, this.#program.layout, optimizer);

    // From here on the memory does not grow, so its buffer stays valid.
    new Uint16Array(kernels.memory.buffer, tokens, stream.length).set(stream);
    tables.copy();
    this.#parameters.write(setup);
    this.#program.refresh();
  }

  async write(state: EngineState): Promise<void> {
    this.#running();
    this.#parameters.write(state);
    this.#program.refresh();
  }

  async run(
    firstStep: number,
    learningRates: Float32Array,
    positions?: Uint32Array,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { buffer } = this.#running().memory;
    const { optimizer, seed, batchSize } = this.#setup;
    const { train, given } = this.#program;
    const losses = new Float32Array(learningRates.length);
    // There is memory for one chosen minibatch, so those run one step per call.
    const stride = positions ? 1 : STEPS_PER_CALL;
    for (let done = 0; done < losses.length; done += stride) {
      const rates = learningRates.subarray(done, done + stride);
      const step = firstStep + done;
      const factors = stepFactors(optimizer, step, rates);
      new Float32Array(buffer, this.#factors, factors.length).set(factors);
      const weights = rates.map((_, i) => teacherWeight(this.#teacher, step + i));
      new Float32Array(buffer, this.#teacherWeights, weights.length).set(weights);
      if (positions)
        new Uint32Array(buffer, given, batchSize).set(
          positions.subarray(done * batchSize, (done + 1) * batchSize),
        );
      train(
        step,
        rates.length,
        seed,
        this.#factors,
        this.#teacherWeights,
        this.#losses,
        positions !== undefined,
      );
      losses.set(new Float32Array(buffer, this.#losses, rates.length), done);
    }
    return losses;
  }

  async read(): Promise<EngineState> {
    this.#running();
    return this.#parameters.read();
  }

  dispose(): void {
    this.#kernels = undefined;
  }

  #running(): Kernels {
    if (!this.#kernels) throw new MakemoreError("DISPOSED", "This engine was disposed; make a new one.");
    return this.#kernels;
  }
}

/**
 * The JavaScript side of the SIMD WebAssembly engine: lays out a model in the kernels' memory, runs
 * chunks of steps, and reads the numbers back. kernels/index.ts explains what happens within a step.
 */
import { MakemoreError } from "../../../src/errors";
import { type Examples, type TeacherTargets, teacherOf, windowExamples } from "../../data/examples";
import type { BlockChain } from "../../model/blocks";
import { optimizerKind } from "../../optimizers";
import type { Engine, EngineSetup, EngineState } from "../engine";
import { type Build, withKernels } from "./builds";
import { allocateSteps, runInCalls, Tables } from "./calls";
import type { Kernels } from "./exports";
import { memoryLayout } from "./memoryLayout";
import { ParameterMemory } from "./parameterMemory";
import { chainOf, refusal } from "./supports";
import { WordEngine } from "./wordEngine";

/**
 * Makes the engine for a network of blocks (worker/model/blocks.ts), or for one that reads words (plan.ts).
 *
 * @param build default: the best that this machine can run
 */
export async function createWasmEngine(setup: EngineSetup, build?: Build): Promise<Engine> {
  const refused = refusal(setup);
  if (refused) throw new MakemoreError("UNSUPPORTED", refused);
  const { network, batchSize } = setup;
  return withKernels<Engine>(
    build,
    (kernels, device) =>
      network.example === "word"
        ? new WordEngine(device, kernels, setup)
        : new ChainEngine(device, kernels, setup, chainOf(network)),
    `A model of ${network.parameters.length} tensors at batchSize ${batchSize} needs more memory than the wasm engine can have; take a smaller batchSize or fewer channels.`,
  );
}

/** Allocates the tables of worker/data/examples.ts. */
function placeExamples(kernels: Kernels, tables: Tables, examples: Examples, vocabularySize: number): void {
  if (examples.targets === "hard") {
    const { sorted } = examples;
    kernels.drawExamples(examples.order === "even", tables.place(sorted), sorted.length);
    return;
  }
  const { table, teacher, order } = examples;
  kernels.drawExamples(order === "even", 0, table.count);
  kernels.useSoftTargets(
    tables.place(table.ranks),
    tables.place(table.contexts),
    tables.place(table.pairs),
    tables.placeTeacher(teacher, vocabularySize),
  );
}

class ChainEngine implements Engine {
  readonly backend = "wasm";
  /** Undefined once disposed. */
  #kernels: Kernels | undefined;
  readonly #setup: Pick<EngineSetup, "optimizer" | "seed" | "batchSize">;
  readonly #teacher: TeacherTargets | undefined;
  readonly #parameters: ParameterMemory;
  readonly #steps: ReturnType<typeof allocateSteps>;

  constructor(
    readonly device: Build,
    kernels: Kernels,
    setup: EngineSetup,
    chain: BlockChain,
  ) {
    const { optimizer, seed, batchSize, stream } = setup;
    const examples = windowExamples(setup.examples);
    this.#setup = { optimizer, seed, batchSize };
    optimizerKind(optimizer).wasm?.(optimizer, kernels);
    this.#teacher = teacherOf(examples);
    const tables = new Tables(kernels);
    const tokens = kernels.allocateStream(stream.length);
    const { contextLength, vocabularySize, embedding, blocks } = chain;
    kernels.begin(tokens, stream.length, batchSize, contextLength, vocabularySize, embedding.dimensions);
    if (examples) placeExamples(kernels, tables, examples, vocabularySize);
    for (const { fold, fanOut, bias, norm, tanh } of blocks) {
      kernels.addLevel(fold, fanOut, bias !== undefined, tanh);
      if (norm) kernels.addBatchNorm(norm.momentum, norm.epsilon);
    }
    this.#steps = allocateSteps(kernels);
    this.#kernels = kernels;
    this.#parameters = new ParameterMemory(kernels, memoryLayout(chain, kernels), optimizer);

    // From here on the memory does not grow, so its buffer stays valid.
    new Uint16Array(kernels.memory.buffer, tokens, stream.length).set(stream);
    tables.copy();
    this.#parameters.write(setup);
    kernels.refresh();
  }

  async run(
    firstStep: number,
    learningRates: Float32Array,
    positions?: Uint32Array,
  ): Promise<Float32Array<ArrayBuffer>> {
    const kernels = this.#running();
    const chunk = {
      ...this.#setup,
      ...this.#steps,
      ...{ teacher: this.#teacher, firstStep, learningRates, positions, given: kernels.positionsAddress() },
    };
    return runInCalls(kernels, chunk, kernels.train);
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

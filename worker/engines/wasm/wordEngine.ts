/** The engine for networks that read words; runs the plan of plan.ts. */
import { MakemoreError } from "../../../src/errors";
import { type TeacherTargets, teacherOf } from "../../data/examples";
import { BOUNDARY } from "../../data/vocabulary";
import { wordStarts } from "../../data/wordExamples";
import { optimizerKind } from "../../optimizers";
import type { Engine, EngineSetup, EngineState } from "../engine";
import type { Build } from "./builds";
import { allocateSteps, runInCalls, Tables } from "./calls";
import type { Kernels } from "./exports";
import { ParameterMemory } from "./parameterMemory";
import { compilePlan } from "./plan";

export class WordEngine implements Engine {
  readonly backend = "wasm";
  /** Undefined once disposed. */
  #kernels: Kernels | undefined;
  readonly #setup: Pick<EngineSetup, "optimizer" | "seed" | "batchSize">;
  readonly #parameters: ParameterMemory;
  readonly #teacher: TeacherTargets | undefined;
  readonly #steps: ReturnType<typeof allocateSteps>;

  constructor(
    readonly device: Build,
    kernels: Kernels,
    setup: EngineSetup,
  ) {
    const { network, optimizer, seed, batchSize, stream, examples } = setup;
    this.#setup = { optimizer, seed, batchSize };
    optimizerKind(optimizer).wasm?.(optimizer, kernels);
    const tables = new Tables(kernels);
    const tokens = kernels.allocateStream(stream.length);
    const starts = wordStarts(setup);
    // With groups, count one more place per word: it makes room for the additional roots.
    const roots = network.firstGroup < network.vocabularySize ? 1 : 0;
    const longest = starts.reduce(
      (most, start) => Math.max(most, stream.indexOf(BOUNDARY, start) - start + roots),
      0,
    );
    const { layout, write } = compilePlan(kernels, network, {
      stream: tokens,
      starts: tables.place(starts),
      words: starts.length,
      even: examples?.order === "even",
      batchSize,
      longest,
    });
    if (examples?.unit === "word" && examples.targets === "soft") {
      const { prefixOf, firstPair, pairs } = examples.prefixes;
      kernels.useSoftWordTargets(
        tables.place(prefixOf),
        tables.place(firstPair),
        tables.place(pairs),
        tables.placeTeacher(examples.teacher, network.vocabularySize),
      );
    }
    this.#teacher = teacherOf(examples);
    this.#steps = allocateSteps(kernels);
    this.#kernels = kernels;
    this.#parameters = new ParameterMemory(kernels, layout, optimizer);

    // From here on the memory does not grow, so its buffer stays valid.
    new Uint16Array(kernels.memory.buffer, tokens, stream.length).set(stream);
    tables.copy();
    write();
    this.#parameters.write(setup);
    kernels.refreshPlan();
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
      ...{ teacher: this.#teacher, firstStep, learningRates, positions, given: kernels.wordsAddress() },
    };
    return runInCalls(kernels, chunk, kernels.trainWords);
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

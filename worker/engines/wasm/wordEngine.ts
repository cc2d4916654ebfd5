/** The engine for networks that read words: runs the plan of plan.ts. */
import { MakemoreError } from "../../../src/errors";
import { BOUNDARY } from "../../data/vocabulary";
import { wordStarts } from "../../data/wordExamples";
import { optimizerKind } from "../../optimizers";
import type { Engine, EngineSetup, EngineState } from "../engine";
import { FACTORS, stepFactors } from "../optimizer";
import type { Kernels } from "./exports";
import type { Build } from "./index";
import { ParameterMemory } from "./parameterMemory";
import { compilePlan } from "./plan";

/** Steps of one call into the kernels; a longer chunk takes several. */
const STEPS_PER_CALL = 1024;

export class WordEngine implements Engine {
  readonly backend = "wasm";
  /** Undefined once disposed. */
  #kernels: Kernels | undefined;
  readonly #setup: Pick<EngineSetup, "optimizer" | "seed" | "batchSize">;
  readonly #parameters: ParameterMemory;
  readonly #factors: number;
  readonly #losses: number;

  constructor(
    readonly device: Build,
    kernels: Kernels,
    setup: EngineSetup,
  ) {
    const { network, optimizer, seed, batchSize, stream, examples } = setup;
    this.#setup = { optimizer, seed, batchSize };
    optimizerKind(optimizer).wasm?.(optimizer, kernels);
    const copies: [to: number, from: Uint32Array<ArrayBuffer>][] = [];
    const place = (from: Uint32Array<ArrayBuffer>) => {
      const to = kernels.allocateNumbers(from.length);
      copies.push([to, from]);
      return to;
    };
    const tokens = kernels.allocateStream(stream.length);
    const starts = wordStarts(setup);
    const longest = starts.reduce(
      (most, start) => Math.max(most, stream.indexOf(BOUNDARY, start) - start),
      0,
    );
    const { layout, write } = compilePlan(kernels, network, {
      stream: tokens,
      starts: place(starts),
      words: starts.length,
      even: examples?.order === "even",
      batchSize,
      longest,
    });
    if (examples?.unit === "word" && examples.targets === "soft") {
      const { prefixOf, firstPair, pairs } = examples.prefixes;
      kernels.useSoftWordTargets(place(prefixOf), place(firstPair), place(pairs));
    }
    this.#factors = kernels.allocateNumbers(STEPS_PER_CALL * FACTORS);
    this.#losses = kernels.allocateNumbers(STEPS_PER_CALL);
    this.#kernels = kernels;
    this.#parameters = new ParameterMemory(kernels, layout, optimizer);

    // From here on the memory does not grow, so its buffer stays.
    new Uint16Array(kernels.memory.buffer, tokens, stream.length).set(stream);
    for (const [to, from] of copies) new Uint32Array(kernels.memory.buffer, to, from.length).set(from);
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
    const { optimizer, seed, batchSize } = this.#setup;
    const { buffer } = kernels.memory;
    const losses = new Float32Array(learningRates.length);
    // Given words fill the place of one batch, so they go step by step.
    const stride = positions ? 1 : STEPS_PER_CALL;
    for (let done = 0; done < losses.length; done += stride) {
      const rates = learningRates.subarray(done, done + stride);
      const factors = stepFactors(optimizer, firstStep + done, rates);
      new Float32Array(buffer, this.#factors, factors.length).set(factors);
      if (positions)
        new Uint32Array(buffer, kernels.wordsAddress(), batchSize).set(
          positions.subarray(done * batchSize, (done + 1) * batchSize),
        );
      kernels.trainWords(
        firstStep + done,
        rates.length,
        seed,
        this.#factors,
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

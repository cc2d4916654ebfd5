/** The worker that is measured. Each engine gets one of its own, as it would on a visitor's page. */
import { expose } from "comlink";
import { drawBatch } from "../../worker/data/dataset";
import { drawWords, wordStarts } from "../../worker/data/wordExamples";
import type { Parameters } from "../../worker/model/layer";
import { parameterCount } from "../../worker/model/network";
import { Sampler, trainBriefly } from "./sampling";
import { createTrainer, setUp, type Task, type Trainer } from "./trainers";

/** A chunk of steps: the time it took, ms, and the mean loss. */
export interface Run {
  readonly ms: number;
  readonly loss: number;
}

/** A model and its data as plain numbers, for a peer outside of the browser. */
export interface Description {
  readonly parameterCount: number;
  readonly parameters: Record<string, { shape: readonly number[]; values: number[] }>;
  readonly stream: number[];
  /** Positions in the stream of the first minibatches: of examples, or where words begin. */
  readonly batches: number[][];
}

/** Steps on the same minibatches, after which all losses must agree: forward, backward and update. */
const CHECKED_STEPS = 4;

let trainer: Trainer | undefined;
let step = 0;

async function run(rates: Float32Array): Promise<Run> {
  if (!trainer) throw new Error("Open an engine first.");
  const start = performance.now();
  const losses = await trainer.run(step, rates);
  const ms = performance.now() - start;
  step += rates.length;
  return { ms, loss: losses.reduce((a, b) => a + b, 0) / losses.length };
}

const bench = {
  /**
   * Opens an engine and runs its first step, ms for both; then the rest of the steps that show that
   * it computes what the others do, and the loss of the last of them.
   */
  async open(name: string, task: Task, rate: number) {
    const setup = setUp(task);
    const start = performance.now();
    trainer = await createTrainer(name, setup);
    await run(Float32Array.of(rate));
    const firstStepMs = performance.now() - start;
    await run(new Float32Array(CHECKED_STEPS - 2).fill(rate));
    const { loss } = await run(Float32Array.of(rate));
    return { device: trainer.device, firstStepMs, checkedLoss: loss };
  },

  /** `steps` steps at one learning rate. */
  run: (steps: number, rate: number) => run(new Float32Array(steps).fill(rate)),

  describe: (task: Task) => describe(task, setUp(task).parameters),

  /** Trains for `steps` steps and makes the sampler; gives what was trained. */
  async train(task: Task, steps: number): Promise<Description> {
    const { checkpoint, stream } = await trainBriefly(task, steps);
    sampler = new Sampler(checkpoint, stream);
    return describe(task, checkpoint.parameters);
  },
  startSampling: (count: number) => open().first(count),
  sample: (count: number, calls: number, fresh: boolean) => open().repeat(count, calls, fresh),
  evaluate: (words?: number) => open().evaluate(words),
};

let sampler: Sampler | undefined;
function open(): Sampler {
  if (!sampler) throw new Error("Train first.");
  return sampler;
}

function describe(task: Task, parameters: Parameters): Description {
  const setup = setUp(task);
  const { network, stream, seed, batchSize } = setup;
  const starts = network.example === "word" ? wordStarts(setup) : undefined;
  return {
    parameterCount: parameterCount(network.parameters),
    parameters: Object.fromEntries(
      network.parameters.map(({ name, shape }) => [
        name,
        { shape, values: Array.from(parameters.get(name) ?? []) },
      ]),
    ),
    stream: Array.from(stream),
    batches: Array.from({ length: CHECKED_STEPS }, (_, step) =>
      Array.from(starts ? drawWords(starts, setup, step) : drawBatch(stream, seed, step, batchSize)),
    ),
  };
}

/** What the page may call. */
export type BenchWorker = typeof bench;

expose(bench);

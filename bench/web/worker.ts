/** The measured worker. Each engine gets its own, as on a visitor's page. */
import { expose } from "comlink";
import { drawBatch } from "../../worker/data/dataset";
import { drawWords, wordStarts } from "../../worker/data/wordExamples";
import type { Parameters } from "../../worker/model/layer";
import { parameterCount } from "../../worker/model/network";
import { Sampler, trainBriefly } from "./sampling";
import { createTrainer, setUp, type Task, type Trainer } from "./trainers";

/** A chunk of steps: its time, ms, and its mean loss. */
export interface Run {
  readonly ms: number;
  readonly loss: number;
}

/** A model and its data as plain numbers, for a peer outside the browser. */
export interface Description {
  readonly parameterCount: number;
  readonly parameters: Record<string, { shape: readonly number[]; values: number[] }>;
  readonly stream: number[];
  /** Stream positions of the first minibatches: of examples, or of word starts. */
  readonly batches: number[][];
}

/** After this many steps on the same minibatches, all losses must agree; this checks forward, backward and update. */
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
   * Opens an engine and runs `CHECKED_STEPS` steps. Returns the ms until the end of the first step, and the loss of
   * the last one.
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

  /** Runs `steps` steps at one learning rate. */
  run: (steps: number, rate: number) => run(new Float32Array(steps).fill(rate)),

  describe: (task: Task) => describe(task, setUp(task).parameters),

  /** Trains for `steps` steps, makes the sampler, and returns the trained model. */
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

/** The worker's API for the page. */
export type BenchWorker = typeof bench;

expose(bench);

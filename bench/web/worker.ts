/** The worker that is measured. Each engine gets one of its own, as it would on a visitor's page. */
import { expose } from "comlink";
import { drawBatch } from "../../worker/data/dataset";
import { parameterCount } from "../../worker/model/network";
import { createTrainer, setUp, type Task, type Trainer } from "./trainers";

/** A chunk of steps: the time it took, ms, and the mean loss. */
export interface Run {
  readonly ms: number;
  readonly loss: number;
}

/** A task as plain numbers, for a peer outside of the browser. */
export interface Description {
  readonly parameterCount: number;
  readonly parameters: Record<string, { shape: readonly number[]; values: number[] }>;
  readonly stream: number[];
  /** Positions of the first minibatch in the stream. */
  readonly firstBatch: number[];
}

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
  /** Opens an engine and runs its first step: what that took, ms, and that step's loss. */
  async open(name: string, task: Task, rate: number) {
    const setup = setUp(task);
    const start = performance.now();
    trainer = await createTrainer(name, setup);
    const { loss } = await run(Float32Array.of(rate));
    return { device: trainer.device, firstStepMs: performance.now() - start, loss };
  },

  /** `steps` steps at one learning rate. */
  run: (steps: number, rate: number) => run(new Float32Array(steps).fill(rate)),

  describe(task: Task): Description {
    const { network, parameters, stream, seed, batchSize } = setUp(task);
    return {
      parameterCount: parameterCount(network.parameters),
      parameters: Object.fromEntries(
        network.parameters.map(({ name, shape }) => [
          name,
          { shape, values: Array.from(parameters.get(name) ?? []) },
        ]),
      ),
      stream: Array.from(stream),
      firstBatch: Array.from(drawBatch(stream, seed, 0, batchSize)),
    };
  },
};

/** What the page may call. */
export type BenchWorker = typeof bench;

expose(bench);

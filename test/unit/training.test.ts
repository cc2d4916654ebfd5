import { expect, test, vi } from "vitest";
import type { Progress } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import { type Engine, EngineLost } from "../../worker/engines/engine";
import { architecture } from "../../worker/model/architectures";
import type { Checkpoint } from "../../worker/model/checkpoint";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { trainSettings } from "../../worker/options";
import { chooseEngine } from "../../worker/training/chooseEngine";
import { smooth } from "../../worker/training/smooth";
import { Training, type TrainingOptions } from "../../worker/training/training";

const settings = trainSettings({ steps: 200, batchSize: 4, model: { hidden: 4, embedding: 2 } });
const dataset = buildDataset("emma\nolivia\nava\nisabella\nsophia", settings);
const network = buildNetwork(architecture(settings.model), dataset.vocabulary.size);
const start: Checkpoint = {
  vocabulary: dataset.vocabulary,
  network,
  parameters: initialParameters(network, 42),
  step: 0,
  recipe: settings,
};

/**
 * An engine that learns one number: how many steps it took since the state it was given. The loss
 * of step k is k, so that any step run twice, or left out, shows.
 */
class CountingEngine implements Engine {
  readonly backend = "webgpu";
  readonly device = "counter";
  disposed = 0;
  constructor(
    public steps = 0,
    readonly beforeRun: (firstStep: number, count: number) => void | Promise<void> = () => {},
  ) {}
  async run(firstStep: number, rates: Float32Array): Promise<Float32Array> {
    await this.beforeRun(firstStep, rates.length);
    this.steps += rates.length;
    return Float32Array.from(rates, (_, i) => firstStep + i);
  }
  async read() {
    return { parameters: new Map([["count", Float32Array.of(this.steps)]]) };
  }
  dispose() {
    this.disposed++;
  }
}

function training(options: Partial<TrainingOptions> = {}) {
  const progress: Progress[] = [];
  const run = new Training(start, dataset, {
    evalEvery: 0,
    sampleEvery: 0,
    notices: [],
    openEngine: async () => {
      throw new Error("no other engine");
    },
    evaluate: async () => ({ train: 1, validation: 2 }),
    sample: async () => ["x"],
    onProgress: (p) => progress.push(p),
    ...options,
  });
  return { run, progress };
}

const all = Float32Array.from({ length: 200 }, (_, i) => i);

test("every step runs once, in order, and the last state is kept", async () => {
  const { run, progress } = training();
  const engine = new CountingEngine();
  expect(await run.run(engine)).toBe(engine);
  expect(run.losses).toEqual(all);
  expect(run.checkpoint.step).toBe(200);
  expect(run.checkpoint.parameters.get("count")).toEqual(Float32Array.of(200));
  expect(progress.at(-1)).toMatchObject({ step: 200, steps: 200, secondsLeft: 0, backend: "webgpu" });
  expect(engine.disposed).toBe(1);
});

test("evaluations and samples come at their steps, and progress is called at most about 20 times a second", async () => {
  const times: number[] = [];
  const { run, progress } = training({
    evalEvery: 50,
    sampleEvery: 100,
    onProgress: (p) => {
      progress.push(p);
      times.push(performance.now());
    },
  });
  await run.run(new CountingEngine());
  expect(progress.filter((p) => p.evaluation).map((p) => p.step)).toEqual([50, 100, 150, 200]);
  expect(progress.filter((p) => p.samples).map((p) => p.step)).toEqual([100, 200]);
  // A timer may fire up to a millisecond early.
  for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThan(48);
});

test("a snapshot is taken between two chunks, and a stop keeps what was learned", async () => {
  const { run } = training();
  const engine = new CountingEngine(0, async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
  });
  const done = run.run(engine);
  const snapshot = await run.snapshot();
  expect(snapshot.step).toBeGreaterThan(0);
  expect(snapshot.parameters.get("count")).toEqual(Float32Array.of(snapshot.step));
  run.stop();
  await done;
  expect(run.step).toBeLessThan(200);
  expect(run.checkpoint.step).toBe(run.step);
  expect(run.checkpoint.parameters.get("count")).toEqual(Float32Array.of(run.step));
});

test("a lost engine is replaced, training goes on from the last snapshot, and the user is told once", async () => {
  const lostAt = 90;
  const first = new CountingEngine(0, (firstStep, count) => {
    if (firstStep + count > lostAt) throw new EngineLost("the GPU was reset");
  });
  let second: CountingEngine | undefined;
  const { run, progress } = training({
    evalEvery: 40,
    openEngine: async (from, lost) => {
      expect(lost).toBe(first);
      second = new CountingEngine(from.step);
      return second;
    },
  });
  expect(await run.run(first)).toBe(second);
  expect(first.disposed).toBe(1);
  expect(second?.disposed).toBe(1);
  expect(run.losses).toEqual(all);
  expect(run.checkpoint.parameters.get("count")).toEqual(Float32Array.of(200));
  expect(run.notices).toEqual([
    expect.stringMatching(/webgpu engine was lost.*GPU was reset.*went on from step 80/),
  ]);
  expect(progress.filter((p) => p.notice)).toHaveLength(1);
});

test("a device that is lost again and again ends the training with what was learned", async () => {
  const lose = () => {
    throw new EngineLost("gone");
  };
  const openEngine = vi.fn(async () => new CountingEngine(0, lose));
  const { run } = training({ openEngine });
  await expect(run.run(new CountingEngine(0, lose))).rejects.toThrow("gone");
  expect(openEngine).toHaveBeenCalledTimes(3);
  expect(run.checkpoint).toBe(start);
});

test("a loss that is not a number ends in DIVERGED, and the state before it stays", async () => {
  class Diverging extends CountingEngine {
    override async run(firstStep: number, rates: Float32Array) {
      const losses = await super.run(firstStep, rates);
      return losses.map((loss) => (loss >= 60 ? Number.NaN : loss));
    }
  }
  const { run } = training({ evalEvery: 50 });
  const snapshot = new Promise((resolve) => setTimeout(() => resolve(run.step), 0));
  await expect(run.run(new Diverging())).rejects.toMatchObject({
    code: "DIVERGED",
    message: expect.stringMatching(/step 60 is NaN.*at step 50/),
  });
  await snapshot;
  expect(run.checkpoint.step).toBe(50);
});

test("a backend that cannot run gives way to the next, with a notice", async () => {
  const engine = new CountingEngine();
  const setup = { ...start, optimizer: settings.optimizer, stream: dataset.train, seed: 1, batchSize: 4 };
  const refuse = async () => {
    throw new Error("no adapter");
  };
  const choice = await chooseEngine("webgpu", setup, {
    webgpu: refuse,
    wasm: async () => engine,
    tfjs: refuse,
  });
  expect(choice.engine).toBe(engine);
  expect(choice.notices).toEqual(["The webgpu engine cannot run this here: no adapter"]);
  await expect(chooseEngine("tfjs", setup, { webgpu: refuse, wasm: refuse, tfjs: refuse })).rejects.toThrow(
    "no adapter",
  );
});

test("auto measures what can run, keeps what it found, and gives back what it measured with", async () => {
  // A browser without WebGPU.
  vi.stubGlobal("navigator", {});
  const made: CountingEngine[] = [];
  const slow = async () => {
    const engine = new CountingEngine(0, () => new Promise((resolve) => setTimeout(resolve, 5)));
    made.push(engine);
    return engine;
  };
  const setup = { ...start, optimizer: settings.optimizer, stream: dataset.train, seed: 1, batchSize: 5 };
  const engines = { webgpu: slow, wasm: slow, tfjs: slow };
  const first = await chooseEngine("auto", setup, engines);
  const [wasm, webgpu] = first.measured ?? [];
  expect(wasm).toMatchObject({ backend: "wasm", msPerStep: expect.any(Number) });
  expect(webgpu).toMatchObject({ backend: "webgpu", skipped: expect.any(String) });
  expect(made.map((engine) => engine.disposed)).toEqual([1, 0]);
  const second = await chooseEngine("auto", setup, engines);
  expect(second.measured).toBe(first.measured);
  expect(made).toHaveLength(3);
});

test("the loss curve is smoothed as in the lecture: means over 1,000 steps", () => {
  const losses = Float32Array.from({ length: 40_500 }, (_, i) => Math.floor(i / 1000));
  const { size, losses: smoothed } = smooth(losses);
  expect(size).toBe(1000);
  expect([...smoothed]).toEqual(Array.from({ length: 41 }, (_, i) => i));
  expect(smooth(Float32Array.of(1, 2, 3)).losses).toEqual(Float32Array.of(1, 2, 3));
  expect(smooth(new Float32Array(0)).losses).toHaveLength(0);
});

import { afterEach, expect, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import type { Progress } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import type { Backend, Engines } from "../../worker/engines";
import { type Engine, EngineLost } from "../../worker/engines/engine";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { checkTrainOptions } from "../../worker/options";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { chooseEngine, replaceEngine } from "../../worker/training/chooseEngine";
import { smooth } from "../../worker/training/smooth";
import { Training, type TrainingOptions } from "../../worker/training/training";
import { Watch } from "../../worker/training/watch";

const settings = checkTrainOptions({ steps: 200, batchSize: 4, model: { hidden: 4, embedding: 2 } })();
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
 * An engine that learns one number, the count of steps since its initial state. The loss of step k is k, so that the
 * tests notice a step that is repeated or skipped.
 */
class CountingEngine implements Engine {
  readonly backend = "webgpu";
  device = "counter";
  disposed = 0;
  written = 0;
  constructor(
    public steps = 0,
    readonly beforeRun: (firstStep: number, count: number) => void | Promise<void> = () => {},
  ) {}
  async run(firstStep: number, rates: Float32Array): Promise<Float32Array> {
    await this.beforeRun(firstStep, rates.length);
    this.steps += rates.length;
    return Float32Array.from(rates, (_, i) => firstStep + i);
  }
  async write() {
    this.steps = 0;
    this.written++;
  }
  async read() {
    return { parameters: new Map([["count", Float32Array.of(this.steps)]]) };
  }
  dispose() {
    this.disposed++;
  }
}

function training(options: Partial<TrainingOptions> = {}, from = start) {
  const progress: Progress[] = [];
  const run = new Training(from, dataset, {
    evalEvery: 0,
    sampleEvery: 0,
    notices: [],
    openEngine: async () => {
      throw new Error("no other engine");
    },
    evaluate: async () => ({ train: 1, validation: 2 }),
    sample: async () => ["x"],
    onProgress: (p) => progress.push(p),
    others: () => undefined,
    ...options,
  });
  return { run, progress };
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

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

test("evaluations and samples come at their steps, and progress comes at most about 20 times per second", async () => {
  const times: number[] = [];
  // A timer fires as soon as nothing else is left to do, and the clock jumps to it.
  vi.useFakeTimers().setTimerTickMode("nextTimerAsync");
  const { run, progress } = training({
    evalEvery: 50,
    sampleEvery: 75,
    onProgress: (p) => {
      progress.push(p);
      times.push(performance.now());
    },
  });
  await run.run(new CountingEngine());
  expect(progress.filter((p) => p.evaluation).map((p) => p.step)).toEqual([50, 100, 150, 200]);
  expect(progress.filter((p) => p.samples).map((p) => p.step)).toEqual([75, 150]);
  for (let i = 1; i < times.length; i++)
    expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(50);
  // Each reports the mean loss of the steps since the one before. The loss of step k is k.
  const since = progress.map((_, i) => progress[i - 1]?.step ?? 0);
  expect(progress.map((p) => p.loss)).toEqual(progress.map((p, i) => ((since[i] ?? 0) + p.step - 1) / 2));
});

test("the last report does not wait for the one before it", async () => {
  // A timer fires as soon as nothing else is left to do, and the clock jumps to it.
  vi.useFakeTimers().setTimerTickMode("nextTimerAsync");
  const started = performance.now();
  const { run, progress } = training();
  // A step takes 1 ms, so the 200 steps take as long as four of the intervals between reports.
  await run.run(new CountingEngine(0, (_, count) => new Promise((resolve) => setTimeout(resolve, count))));
  expect(performance.now() - started).toBe(200);
  expect(progress.length).toBeGreaterThanOrEqual(4);
});

test("a snapshot is taken between two chunks, and a stop keeps the trained weights", async () => {
  // A timer fires as soon as nothing else is left to do, and the clock jumps to it.
  vi.useFakeTimers().setTimerTickMode("nextTimerAsync");
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

test("an evaluation that a stop cut short is not reported", async () => {
  const { run, progress } = training({
    evalEvery: 50,
    evaluate: async () => {
      run.stop();
      return { train: 1, validation: 2 };
    },
  });
  await run.run(new CountingEngine());
  expect(progress.filter((p) => p.evaluation)).toEqual([]);
  expect(run.checkpoint.step).toBe(50);
});

test("other calls run between two chunks, for a limited time", async () => {
  vi.useFakeTimers().setTimerTickMode("nextTimerAsync");
  let answered = 0;
  const { run } = training({
    // A call of three tasks, which would wait for a chunk each, and a call that never ends.
    others: () => (answered < 3 ? nextTasks().then(() => answered++) : new Promise(() => {})),
  });
  const nextTasks = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const chunks: number[] = [];
  await run.run(new CountingEngine(0, () => void chunks.push(answered)));
  expect(chunks.slice(0, 4)).toEqual([0, 1, 2, 3]);
  expect(run.step).toBe(200);
});

test("a lost engine is replaced, training goes on from the last snapshot, and there is one notice", async () => {
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

test("a lost device costs about a second of training at most", async () => {
  vi.useFakeTimers().setTimerTickMode("nextTimerAsync");
  /** An engine that takes 10 ms per step. */
  const slow = (from: number, lostAt: number) =>
    new CountingEngine(from, async (firstStep, count) => {
      await new Promise((resolve) => setTimeout(resolve, 10 * count));
      if (firstStep + count > lostAt) throw new EngineLost("gone");
    });
  let from = 0;
  const { run } = training({
    openEngine: async ({ step }) => {
      from = step;
      return slow(step, 200);
    },
  });
  await run.run(slow(0, 180));
  // A second is 100 steps; the chunk before and the one that is lost have about 5 each.
  expect(from).toBeGreaterThanOrEqual(180 - 120);
  expect(run.losses).toEqual(all);
});

test("if every device is lost, the training rejects, and the last state is kept", async () => {
  const lose = () => {
    throw new EngineLost("gone");
  };
  const openEngine = vi.fn(async () => new CountingEngine(0, lose));
  const { run } = training({ openEngine });
  await expect(run.run(new CountingEngine(0, lose))).rejects.toThrow("gone");
  expect(openEngine).toHaveBeenCalledTimes(3);
  expect(run.checkpoint).toBe(start);
});

test("a device that is lost ever again, but trains on each time, does not end the training", async () => {
  /** An engine that is lost after its first snapshot, 20 steps later. */
  const lossy = (from: number) =>
    new CountingEngine(from, (firstStep) => {
      if (firstStep >= from + 20) throw new EngineLost("gone");
    });
  const again: boolean[] = [];
  const { run } = training({
    evalEvery: 20,
    openEngine: async (from, _, isAgain) => {
      again.push(isAgain);
      return lossy(from.step);
    },
  });
  await run.run(lossy(0));
  expect(run.losses).toEqual(all);
  expect(again).toEqual(Array(9).fill(false));
});

test("the weights that a loaded model came with may be the best ones", async () => {
  const estimate = async ({ step }: Checkpoint) => step;
  const watch = new Watch({ examples: 100, batchSize: 4, patience: 0, estimate }, 64);
  const { run } = training({ watch }, { ...start, step: 64 });
  await run.run(new CountingEngine(64));
  expect((await watch.best(run.checkpoint)).checkpoint.step).toBe(64);
});

test("a loss of NaN ends the training with DIVERGED, and the state before it is kept", async () => {
  class Diverging extends CountingEngine {
    override async run(firstStep: number, rates: Float32Array) {
      const losses = await super.run(firstStep, rates);
      return losses.map((loss) => (loss >= 60 ? Number.NaN : loss));
    }
  }
  const { run } = training({ evalEvery: 50 });
  await expect(run.run(new Diverging())).rejects.toMatchObject({
    code: "DIVERGED",
    message: expect.stringMatching(/step 60 is NaN.*at step 50/),
  });
  expect(run.checkpoint.step).toBe(50);
});

test.each(["weights", "moments"])(
  "%s of NaN end the training with DIVERGED even if the loss is finite",
  async (what) => {
    class Overflowing extends CountingEngine {
      override async read() {
        const counted = (isBad: boolean) =>
          new Map([["count", Float32Array.of(isBad && this.steps > 60 ? Number.NaN : this.steps)]]);
        const optimizerState = new Map([["m", counted(what === "moments")]]);
        return { parameters: counted(what === "weights"), optimizerState };
      }
    }
    const { run } = training({ evalEvery: 50 });
    await expect(run.run(new Overflowing())).rejects.toMatchObject({
      code: "DIVERGED",
      message: expect.stringMatching(/After step 100 count or its moments are not finite.*at step 50/),
    });
    expect(run.checkpoint.step).toBe(50);
  },
);

test("a stopped training does not replace a lost engine", async () => {
  const openEngine = vi.fn(async () => new CountingEngine());
  const { run } = training({ openEngine, evalEvery: 50 });
  const engine = new CountingEngine(0, (firstStep) => {
    if (firstStep < 50) return;
    run.stop();
    throw new EngineLost("gone");
  });
  expect(await run.run(engine)).toBe(engine);
  expect(openEngine).not.toHaveBeenCalled();
  expect(run.step).toBe(50);
  expect(run.checkpoint.step).toBe(50);
});

test("a clock that stands still does not put all steps into one chunk", async () => {
  vi.spyOn(performance, "now").mockReturnValue(0);
  const chunks: number[] = [];
  // The first progress restores the real clock, because later ones depend on it.
  const { run } = training({ onProgress: () => vi.restoreAllMocks() });
  await run.run(new CountingEngine(0, (_, count) => void chunks.push(count)));
  expect(chunks.slice(0, 4)).toEqual([1, 4, 16, 64]);
});

const setup = { ...start, optimizer: settings.optimizer, stream: dataset.train, seed: 1, batchSize: 4 };
const refuse = async () => {
  throw new Error("no adapter");
};

test("if a backend cannot run, the next one does, with a notice", async () => {
  const engine = new CountingEngine();
  const engines = { webgpu: refuse, wasm: async () => engine, tfjs: refuse };
  const choice = await chooseEngine("webgpu", setup, engines, new Map());
  expect(choice.engine).toBe(engine);
  expect(choice.notices).toEqual(["The webgpu engine cannot run this here: no adapter"]);
  const none = { webgpu: refuse, wasm: refuse, tfjs: refuse };
  await expect(chooseEngine("tfjs", setup, none, new Map())).rejects.toThrow("no adapter");
});

test("a lost engine is replaced by the same kind, and after a second loss by the next kind", async () => {
  const made = { webgpu: new CountingEngine(), wasm: new CountingEngine(), tfjs: new CountingEngine() };
  const engines: Engines = {
    webgpu: async () => made.webgpu,
    wasm: async () => made.wasm,
    tfjs: async () => made.tfjs,
  };
  const lost = new CountingEngine();
  expect(await replaceEngine(lost, false, setup, engines)).toBe(made.webgpu);
  expect(await replaceEngine(lost, true, setup, engines)).toBe(made.wasm);
  expect(await replaceEngine(lost, false, setup, { ...engines, webgpu: refuse })).toBe(made.wasm);
});

/** Makes engines whose steps advance a fake clock by these milliseconds, and records all engines made. */
function timedEngines(ms: { wasm: number; webgpu: number }) {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const made: CountingEngine[] = [];
  const make = (device: Backend, msPerStep: number) => async () => {
    const engine = new CountingEngine(0, (_, count) => {
      now += msPerStep * count;
    });
    made.push(Object.assign(engine, { device }));
    return engine;
  };
  const engines: Engines = {
    wasm: make("wasm", ms.wasm),
    webgpu: make("webgpu", ms.webgpu),
    tfjs: refuse,
  };
  return { engines, made };
}

/** Stubs a browser whose GPU has this description ("" for no description). */
function stubGPU(description: string | undefined): void {
  const info = description === undefined ? undefined : { description, isFallbackAdapter: false };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => ({ info }) } });
}

test.each([
  ["wavenet", "nvidia ampere"],
  ["wavenet", undefined],
  // tfjs trains this model on WebGPU.
  ["gru", "nvidia ampere"],
] as const)("auto chooses the engine that it measured as faster: %s, GPU %s", async (model, gpu) => {
  stubGPU(gpu);
  const asked = { ...setup, network: buildNetwork(architecture(model), 27) };
  for (const [ms, fastest] of [
    [{ wasm: 4, webgpu: 0.1 }, 1],
    [{ wasm: 0.1, webgpu: 4 }, 0],
  ] as const) {
    const { engines, made } = timedEngines(ms);
    const { engine, measured = [] } = await chooseEngine("auto", asked, engines, new Map());
    expect(measured.map(({ backend }) => backend)).toEqual(["wasm", "webgpu"]);
    for (const { backend, msPerStep } of measured)
      expect(msPerStep).toBeCloseTo(backend === "wasm" ? ms.wasm : ms.webgpu, 9);
    // The slower engine is disposed of. The faster one gets its first numbers again, and trains.
    expect(engine.device).toBe(measured[fastest]?.backend);
    expect(engine).toMatchObject({ steps: 0, written: 1, disposed: 0 });
    expect(made).toHaveLength(2);
    expect(made.find((other) => other !== engine)).toMatchObject({ written: 0, disposed: 1 });
    expect(measured[fastest]?.msPerStep).toBeLessThan(measured[1 - fastest]?.msPerStep ?? 0);
  }
});

test("auto does not wait for a GPU that never answers", async () => {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => new Promise(() => {}) } });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { engines } = timedEngines({ wasm: 1, webgpu: 1 });
  const choosing = chooseEngine("auto", setup, engines, new Map());
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  await vi.runAllTimersAsync();
  expect((await choosing).measured?.[1]).toMatchObject({ skipped: "it did not start in 5 s" });
});

test("auto opens the GPU's engine while wasm is benchmarked, and never runs two benchmarks at once", async () => {
  stubGPU("nvidia ampere");
  const events: string[] = [];
  let running = 0;
  const make = (name: string, opened: Promise<unknown>) => async () => {
    events.push(`${name} opens`);
    await opened;
    events.push(`${name} is open`);
    return new CountingEngine(0, async () => {
      if (events.at(-1) !== `${name} runs`) events.push(`${name} runs`);
      if (name === "wasm") wasmRan();
      expect(++running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
    });
  };
  let wasmRan = () => {};
  const afterWasm = new Promise<void>((resolve) => {
    wasmRan = resolve;
  });
  const engines = { wasm: make("wasm", Promise.resolve()), webgpu: make("webgpu", afterWasm), tfjs: refuse };
  const { measured = [] } = await chooseEngine("auto", setup, engines, new Map());
  expect(measured.map(({ msPerStep }) => typeof msPerStep)).toEqual(["number", "number"]);
  expect(events.indexOf("webgpu opens")).toBeLessThan(events.indexOf("wasm runs"));
  expect(events.indexOf("webgpu is open")).toBeLessThan(events.indexOf("webgpu runs"));
  expect(events.lastIndexOf("webgpu runs")).toBeGreaterThan(events.indexOf("wasm runs"));
});

test.each([
  [{ wasmBeside: 2, wasmAlone: 0.5, webgpu: 1 }, "wasm", 0.5],
  [{ wasmBeside: 2, wasmAlone: 1.5, webgpu: 1 }, "webgpu", 1.5],
  // Lost by so much that the benchmark is not repeated.
  [{ wasmBeside: 5, wasmAlone: 0.5, webgpu: 1 }, "webgpu", 5],
])("auto repeats a benchmark beside a GPU that compiled, if it is in doubt: %o", async (ms, best, wasmMs) => {
  stubGPU("nvidia ampere");
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  let compiling = true;
  const make = (device: Backend, msPerStep: () => number) => async () => {
    const engine = new CountingEngine(0, (_, count) => {
      if (device === "webgpu") compiling = false;
      now += msPerStep() * count;
    });
    return Object.assign(engine, { device });
  };
  const engines: Engines = {
    wasm: make("wasm", () => (compiling ? ms.wasmBeside : ms.wasmAlone)),
    webgpu: make("webgpu", () => ms.webgpu),
    tfjs: refuse,
  };
  const { engine, measured } = await chooseEngine("auto", setup, engines, new Map());
  expect(engine.device).toBe(best);
  expect(measured).toMatchObject([{ msPerStep: wasmMs }, { msPerStep: ms.webgpu }]);
});

test("a GPU that opens too late is disposed of", async () => {
  stubGPU("nvidia ampere");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { engines } = timedEngines({ wasm: 1, webgpu: 1 });
  let ran = false;
  const late = new CountingEngine(0, () => {
    ran ||= late.disposed === 0;
    throw new EngineLost("it was disposed of");
  });
  let open = () => {};
  const webgpu = () =>
    new Promise<Engine>((resolve) => {
      open = () => resolve(late);
    });
  const choosing = chooseEngine("auto", setup, { ...engines, webgpu }, new Map());
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  await vi.runAllTimersAsync();
  const { engine, measured } = await choosing;
  expect(engine.device).toBe("wasm");
  expect(measured?.[1]).toMatchObject({ device: "nvidia ampere", skipped: "it did not start in 5 s" });
  open();
  await vi.waitFor(() => expect(late.disposed).toBeGreaterThan(0));
  expect(ran).toBe(false);
});

test("if the fastest engine was lost after its benchmark, a new one opens", async () => {
  stubGPU("nvidia ampere");
  const { engines, made } = timedEngines({ wasm: 1, webgpu: 0.1 });
  vi.spyOn(CountingEngine.prototype, "write").mockRejectedValue(new EngineLost("the driver was reset"));
  const { engine } = await chooseEngine("auto", setup, engines, new Map());
  expect(engine.device).toBe("webgpu");
  expect(made.map(({ device, disposed }) => [device, disposed])).toEqual([
    ["wasm", 1],
    ["webgpu", 1],
    ["webgpu", 0],
  ]);
});

test("auto skips a software adapter and an adapter that fails, and says why", async () => {
  stubGPU("Google SwiftShader");
  const { engines } = timedEngines({ wasm: 1, webgpu: 1 });
  const software = await chooseEngine("auto", setup, engines, new Map());
  expect(software.measured?.[1]).toMatchObject({ skipped: expect.stringContaining("software") });
  stubGPU("nvidia ampere");
  const failed = await chooseEngine("auto", setup, { ...engines, webgpu: refuse }, new Map());
  expect(failed.measured?.[1]).toMatchObject({ skipped: "no adapter" });
});

test("auto asks for an adapter again if the failure may be temporary", async () => {
  stubGPU("nvidia ampere");
  const { engines } = timedEngines({ wasm: 1, webgpu: 1 });
  const webgpu = vi.fn(engines.webgpu).mockRejectedValueOnce(new Error("the network hiccuped"));
  const known = new Map();
  const first = await chooseEngine("auto", setup, { ...engines, webgpu }, known);
  expect(first.measured?.[1]).toEqual({ backend: "webgpu", device: "", skipped: "the network hiccuped" });
  const second = await chooseEngine("auto", setup, { ...engines, webgpu }, known);
  expect(second.measured?.[1]).toMatchObject({ msPerStep: expect.any(Number) });
});

test("if no backend runs, the error has the reason of each", async () => {
  const refuse = (why: string) => async () => {
    throw new MakemoreError("UNSUPPORTED", why);
  };
  const engines = { webgpu: refuse("no adapter"), wasm: refuse("no SIMD"), tfjs: refuse("no file") };
  await expect(chooseEngine("webgpu", setup, engines, new Map())).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(/webgpu.*no adapter.*wasm.*no SIMD.*tfjs.*no file/),
  });
});

test("auto measures once per model, batch size and optimiser", async () => {
  // Stub a browser without WebGPU.
  vi.stubGlobal("navigator", {});
  const { engines, made } = timedEngines({ wasm: 1, webgpu: 1 });
  const known = new Map();
  const first = await chooseEngine("auto", setup, engines, known);
  expect(made).toHaveLength(1);
  const second = await chooseEngine("auto", setup, engines, known);
  expect(second.measured).toBe(first.measured);
  expect(made).toHaveLength(2);
  await chooseEngine("auto", { ...setup, batchSize: 5 }, engines, known);
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

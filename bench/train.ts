/**
 * Measures milliseconds per training step for every engine and peer that trains the lecture's model. All are set up
 * at the start. Then they take turns, one chunk of steps each, so that other load on the machine affects all alike.
 */
import type { Page } from "playwright";
import type { Context } from "./bench";
import { howToInstall, startPyTorch } from "./pytorch";
import { type Summary, show, summarise, table } from "./statistics";
import type { Task } from "./web/trainers";
import type { Description, Run } from "./web/worker";

/** Engines and peers, in the order of the table. */
export const trainers: readonly string[] = [
  "wasm-relaxed",
  "wasm-simd",
  "webgpu",
  "tfjs-wasm",
  "tfjs-webgpu",
  "jax-js-wasm",
  "jax-js-webgpu",
  "pytorch",
];

/** Number of rounds; in each, every engine runs one chunk. */
const REPEATS = 7;
/** Approximate duration of a chunk, ms. A chunk has at least one step. */
const CHUNK_MS = 400;
/** Duration of each engine's warm-up, ms: enough for the browser's optimising compiler to finish. */
const WARM_UP_MS = 1000;
/** Relative tolerance: float32 rounding over a few steps. A wrong computation differs far more. */
const TOLERANCE = 1e-4;

/** How to train a model, and with which engines: peers are compared on the lecture's recipe. */
interface Recipe extends Pick<Task, "batchSize" | "optimizer" | "model"> {
  readonly name: string;
  readonly learningRate: number;
  readonly engines: readonly string[];
}

const adamw = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 } as const;

/** The models that read words, each at its default size with makemore.py's optimiser. */
export const families = ["bigram", "bow", "rnn", "gru", "lstm", "transformer", "microgpt"] as const;

const recipes: readonly Recipe[] = [
  { name: "batch 32, SGD", batchSize: 32, optimizer: { type: "sgd" }, learningRate: 0.1, engines: trainers },
  {
    name: "batch 64, AdamW",
    batchSize: 64,
    optimizer: adamw,
    learningRate: 0.002,
    engines: ["wasm-relaxed", "wasm-simd", "webgpu", "pytorch"],
  },
  ...families.map((model) => ({
    model,
    name: `${model === "microgpt" ? "1 word" : "32 words"}, AdamW`,
    batchSize: model === "microgpt" ? 1 : 32,
    optimizer: adamw,
    learningRate: 5e-4,
    engines: ["wasm-relaxed", "wasm-simd", "pytorch"],
  })),
];

/** One row of the table. */
interface Measured {
  readonly engine: string;
  readonly model: string;
  readonly msPerStep: Summary;
  readonly repeats: number;
  readonly stepsPerRepeat: number;
  readonly device: string;
  /** Time until the first loss, including compilation; in the browser only. */
  readonly firstStepMs?: number;
  /** Loss after a few steps on the same minibatches from the same weights, to check that all compute the same. */
  readonly checkedLoss: number;
}

export interface TrainResults {
  readonly train: readonly Measured[];
  readonly missing: readonly { engine: string; model: string; reason: string }[];
}

/** An engine that is set up. */
interface Runner extends Pick<Measured, "engine" | "device" | "firstStepMs" | "checkedLoss"> {
  run(steps: number): Promise<Run>;
  close(): Promise<void> | void;
}

/** Runs it. */
export async function benchTrain({
  page,
  engines,
  models,
  data,
  pytorch,
  say,
}: Context): Promise<TrainResults> {
  const train: Measured[] = [];
  const missing: { engine: string; model: string; reason: string }[] = [];
  for (const recipe of recipes.filter(({ model = "wavenet" }) => models.includes(model))) {
    const { batchSize, optimizer, learningRate, model: name } = recipe;
    const task: Task = { ...data, batchSize, optimizer, ...(name ? { model: name } : {}) };
    const description = await describe(page, task);
    const model = `${name ?? "WaveNet"} ${description.parameterCount.toLocaleString("en-US")}, ${recipe.name}`;
    const ready: { runner: Runner; steps: number; times: number[] }[] = [];
    try {
      for (const engine of recipe.engines.filter((engine) => engines.includes(engine))) {
        say(`${model}: starting ${engine}`);
        try {
          if (engine === "pytorch" && !pytorch) throw new Error(howToInstall);
          const runner =
            engine === "pytorch"
              ? await openPyTorch(description, task, learningRate)
              : await openInBrowser(page, engine, task, learningRate);
          ready.push({ runner, steps: await warmUp(runner), times: [] });
        } catch (error) {
          missing.push({ engine, model, reason: firstLine(error) });
        }
      }
      checkAgreement(ready.map(({ runner }) => runner));
      for (let round = 0; round < REPEATS; round++) {
        say(`${model}: round ${round + 1} of ${REPEATS}`);
        // Rotate the order, so that no engine always runs after the same one.
        const turn = round % Math.max(1, ready.length);
        for (const { runner, steps, times } of [...ready.slice(turn), ...ready.slice(0, turn)])
          times.push((await runner.run(steps)).ms / steps);
      }
    } finally {
      for (const { runner } of ready) await runner.close();
    }
    for (const { runner, steps, times } of ready) {
      const { engine, device, firstStepMs, checkedLoss } = runner;
      train.push({
        engine,
        model,
        msPerStep: summarise(times),
        repeats: times.length,
        stepsPerRepeat: steps,
        device,
        ...(firstStepMs === undefined ? {} : { firstStepMs }),
        checkedLoss,
      });
    }
  }
  return { train, missing };
}

/** Checks that all engines computed the same; otherwise their times cannot be compared. */
function checkAgreement(runners: readonly Runner[]): void {
  const { median } = summarise(runners.map((runner) => runner.checkedLoss));
  for (const { engine, checkedLoss } of runners)
    if (Math.abs(checkedLoss - median) > TOLERANCE * median)
      throw new Error(
        `${engine} does not compute what the others do: after the same steps its loss is ${checkedLoss}, theirs ${median}.`,
      );
}

/** Formats the results as one table per recipe, with a summary. */
export function printTrain({ train, missing }: TrainResults): string {
  const out: string[] = [];
  for (const model of new Set([...train, ...missing].map((row) => row.model))) {
    const rows = train.filter((row) => row.model === model);
    const absent = missing.filter((row) => row.model === model);
    const pytorch = rows.find((row) => row.engine === "pytorch")?.msPerStep.median;
    out.push(
      `\nTraining, ${model}`,
      table(
        ["engine", "ms/step", "min", "max", "steps/s", "x PyTorch", "first step, s", "on"],
        [
          ...rows.map(({ engine, device, firstStepMs, msPerStep: { median, min, max } }) => [
            engine,
            show(median),
            show(min),
            show(max),
            show(1000 / median),
            pytorch === undefined ? "" : show(pytorch / median),
            firstStepMs === undefined ? "" : show(firstStepMs / 1000),
            device,
          ]),
          ...absent.map(({ engine }) => [engine, "absent"]),
        ],
      ),
      ...absent.map(({ engine, reason }) => `${engine}: ${reason}`),
      ...ratios(rows),
    );
  }
  return out.join("\n");
}

/** Compares this package's engines with the peers on the same device. */
function ratios(rows: readonly Measured[]): string[] {
  const speed = (engine: string) => {
    const ms = rows.find((row) => row.engine === engine)?.msPerStep.median;
    return ms === undefined ? [] : [{ engine, ms }];
  };
  return Object.entries({
    "wasm-relaxed": ["pytorch", "tfjs-wasm", "jax-js-wasm"],
    "wasm-simd": ["pytorch", "tfjs-wasm", "jax-js-wasm"],
    webgpu: ["tfjs-webgpu", "jax-js-webgpu"],
  }).flatMap(([engine, peers]) =>
    speed(engine).flatMap(({ ms }) => {
      const said = peers.flatMap(speed).map((peer) => `${show(peer.ms / ms)} times that of ${peer.engine}`);
      return said.length > 0 ? [`The speed of ${engine} is ${said.join(", ")}.`] : [];
    }),
  );
}

async function describe(page: Page, task: Task): Promise<Description> {
  const description = await page.evaluate((task) => bench.remote("describe").describe(task), task);
  await page.evaluate(() => bench.close("describe"));
  return description;
}

async function openInBrowser(page: Page, engine: string, task: Task, learningRate: number): Promise<Runner> {
  const { device, firstStepMs, checkedLoss } = await page.evaluate(
    ([engine, task, rate]) => bench.remote(engine).open(engine, task, rate),
    [engine, task, learningRate] as const,
  );
  return {
    engine,
    device,
    firstStepMs,
    checkedLoss,
    run: (steps) =>
      page.evaluate(([engine, steps, rate]) => bench.remote(engine).run(steps, rate), [
        engine,
        steps,
        learningRate,
      ] as const),
    close: () => page.evaluate((engine) => bench.close(engine), engine),
  };
}

async function openPyTorch(description: Description, task: Task, learningRate: number): Promise<Runner> {
  const { model, batchSize, optimizer } = task;
  const { ask, close } = startPyTorch(model ? "families.py" : "pytorch.py");
  const { version } = await ask<{ version: string }>({
    set_up: { ...description, model, batchSize, optimizer, learningRate },
  });
  const { loss } = await ask<{ loss: number }>({ check: true });
  return {
    engine: "pytorch",
    device: `PyTorch ${version}, one thread`,
    checkedLoss: loss,
    run: (steps) => ask({ train: steps }),
    close,
  };
}

/** Warms an engine up, and returns the number of steps per chunk. */
async function warmUp({ run }: Runner): Promise<number> {
  const start = performance.now();
  for (let steps = 1; ; ) {
    const ms = (await run(steps)).ms / steps;
    const wanted = Math.max(1, Math.round(CHUNK_MS / ms));
    // Double the steps each time, because the first steps are the slowest.
    if (performance.now() - start >= WARM_UP_MS && wanted <= 2 * steps) return wanted;
    steps = Math.min(2 * steps, wanted);
  }
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^page\.evaluate: /, "").split("\n")[0] ?? "";
}

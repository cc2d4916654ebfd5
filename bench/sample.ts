/**
 * Measures this package and PyTorch on one thread: names per second, and seconds to evaluate the training split.
 * Both use the same briefly trained model and take turns. For models that read words it measures only names per
 * second.
 */
import { createServer } from "node:http";
import type { Browser, Page } from "playwright";
import type { Context } from "./bench";
import { buildPackage, timeSamples, withBuiltPage } from "./built";
import { howToInstall, type PyTorch, startPyTorch } from "./pytorch";
import { type Summary, show, summarise, table } from "./statistics";
import type { Task } from "./web/trainers";
import type { Description } from "./web/worker";

/** Training steps before sampling: enough for names of a usual length. */
const STEPS = 3000;
/** The models that read words; a training step takes 32 whole words. */
const readers = ["rnn", "gru", "lstm", "transformer"] as const;
const READERS_STEPS = 1000;
/** Number of words on which both sides must have the same loss. */
const CHECKED_WORDS = 500;
const REPEATS = 7;
/** How often the first sample of the built package is timed, each time in a new worker. */
const FIRST_REPEATS = 5;
/** Approximate duration of a repeat, ms. A repeat makes at least one call. */
const REPEAT_MS = 300;
/** Duration of the warm-up, ms: enough for the browser's optimising compiler to finish. */
const WARM_UP_MS = 1000;
/** Names per call. */
const COUNTS = [10, 1000];
/** Relative tolerance: float32 rounding of a mean over all examples. */
const TOLERANCE = 1e-5;
const THREADS = "makemore-web-2-threads";
const optimizer = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 } as const;

/** Names for `--engines`, and what each measures. */
export const samplers: Readonly<Record<string, string>> = {
  "makemore-web": "a model that was just trained",
  "makemore-web-again": "a model that sampled before and remembers beginnings",
  [THREADS]: "makemore-web, if it took two threads where the page is isolated",
  "pytorch-notebook": "the lecture's loop, a name at a time",
  "pytorch-batched": "all names in lock-step, finished ones dropped",
};

/** Names per second of an engine. */
interface Measured {
  readonly model: string;
  readonly engine: string;
  readonly count: number;
  readonly namesPerSecond: Summary;
  readonly repeats: number;
}

export interface SampleResults {
  readonly sample: readonly Measured[];
  readonly evaluate: readonly { engine: string; examples: number; seconds: Summary; loss: number }[];
  /** The first `sample(10)` after training, including the start of ONNX Runtime, ms. */
  readonly firstSampleMs?: Summary;
  readonly missing: readonly { engine: string; reason: string }[];
}

/** A sampler: makes `calls` calls of `count` names each, and returns the total ms. */
interface Sampler {
  readonly engine: string;
  sample(count: number, calls: number): Promise<number>;
}

interface Evaluation {
  readonly ms: number;
  readonly loss: number;
  readonly examples: number;
}

/** Runs it. */
export async function benchSample(context: Context): Promise<SampleResults> {
  const { engines, models, pytorch } = context;
  const asked = Object.keys(samplers).filter((engine) => engines.includes(engine));
  const { evaluate, firstSampleMs, sample } = models.includes("wavenet")
    ? await benchWaveNet(context, asked)
    : { evaluate: [], sample: [] };
  const all = [...sample];
  for (const model of readers)
    if (models.includes(model)) all.push(...(await benchReader(context, model, asked)));
  const missing = pytorch ? [] : asked.filter(isPyTorch).map((engine) => ({ engine, reason: howToInstall }));
  return { sample: all, evaluate, missing, ...(firstSampleMs === undefined ? {} : { firstSampleMs }) };
}

function isPyTorch(engine: string): boolean {
  return engine.startsWith("pytorch");
}

async function benchWaveNet(
  { page, data, pytorch, say }: Context,
  asked: readonly string[],
): Promise<Omit<SampleResults, "missing">> {
  const task: Task = { ...data, batchSize: 64, optimizer };
  const browser = page.context().browser();
  if (!browser) throw new Error("The page has no browser.");
  const ready: Sampler[] = [];
  const evaluators: { engine: string; evaluate(): Promise<Evaluation>; all: Evaluation[] }[] = [];

  const ours = asked.filter((engine) => !isPyTorch(engine));
  const firstSampleMs = ours.length > 0 ? await timeFirstSamples(browser, task, say) : undefined;

  say(`sampling: training ${STEPS} steps`);
  const model = await train(page, task, STEPS);
  const plain = ours.filter((engine) => engine !== THREADS);
  if (plain.length > 0) evaluators.push(await openEvaluator("makemore-web", page));
  for (const engine of plain) ready.push(inBrowser(engine, page));
  const isolated = ours.includes(THREADS) ? await openIsolated(browser, page.url()) : undefined;
  if (isolated) {
    await train(isolated.page, task, STEPS);
    evaluators.push(await openEvaluator(THREADS, isolated.page));
    ready.push(inBrowser(THREADS, isolated.page));
  }

  const peers = asked.filter(isPyTorch);
  const torch = pytorch && peers.length > 0 ? startPyTorch() : undefined;
  const sample: Measured[] = [];
  try {
    if (torch) {
      await torch.ask({ set_up: { ...model, batchSize: task.batchSize, optimizer, learningRate: 0 } });
      evaluators.push({ engine: "pytorch", evaluate: () => torch.ask({ evaluate: true }), all: [] });
      for (const engine of peers) ready.push(inPyTorch(engine, torch));
    }
    for (const count of COUNTS) sample.push(...(await takeTurns("WaveNet", ready, count, say)));

    say("sampling: evaluating the training split");
    for (let repeat = 0; repeat < 3; repeat++)
      for (const { evaluate, all } of evaluators) all.push(await evaluate());
  } finally {
    torch?.close();
    await isolated?.close();
    await page.evaluate(() => bench.close("sample"));
  }
  const evaluations = evaluators.map(({ engine, all }) => ({
    engine,
    examples: all[0]?.examples ?? 0,
    seconds: summarise(all.map(({ ms }) => ms / 1000)),
    loss: all[0]?.loss ?? Number.NaN,
  }));
  const [a, ...others] = evaluations;
  for (const b of others) if (a) checkSameModel(a, b);
  return { sample, evaluate: evaluations, ...(firstSampleMs === undefined ? {} : { firstSampleMs }) };
}

/** Measures names per second of a model that reads words, at its default size. */
async function benchReader(
  { page, data, pytorch, say }: Context,
  model: (typeof readers)[number],
  asked: readonly string[],
): Promise<Measured[]> {
  const task: Task = { ...data, model, batchSize: 32, optimizer };
  say(`sampling, ${model}: training ${READERS_STEPS} steps`);
  const description = await train(page, task, READERS_STEPS);
  const { evaluate } = await openEvaluator("makemore-web", page);
  const ready = asked
    .filter((engine) => !isPyTorch(engine) && engine !== THREADS)
    .map((engine) => inBrowser(engine, page));
  const torch = pytorch && asked.includes("pytorch-batched") ? startPyTorch("families.py") : undefined;
  try {
    if (torch) {
      await torch.ask({
        set_up: { ...description, model, batchSize: task.batchSize, optimizer, learningRate: 0 },
      });
      const { loss } = await torch.ask<{ loss: number }>({ evaluate: CHECKED_WORDS });
      checkSameModel(
        { engine: "makemore-web", ...(await evaluate(CHECKED_WORDS)) },
        { engine: "pytorch", loss },
      );
      ready.push(inPyTorch("pytorch-batched", torch));
    }
    return await takeTurns(model, ready, COUNTS.at(-1) ?? 0, say);
  } finally {
    torch?.close();
    await page.evaluate(() => bench.close("sample"));
  }
}

/** Runs all samplers in turns, `REPEATS` times. */
async function takeTurns(
  model: string,
  ready: readonly Sampler[],
  count: number,
  say: Context["say"],
): Promise<Measured[]> {
  say(`sampling, ${model}: ${count} names`);
  const runs: { sampler: Sampler; calls: number; rates: number[] }[] = [];
  for (const sampler of ready) runs.push({ sampler, calls: await warmUp(sampler, count), rates: [] });
  for (let repeat = 0; repeat < REPEATS; repeat++)
    for (const { sampler, calls, rates } of runs)
      rates.push((1000 * count * calls) / (await sampler.sample(count, calls)));
  return runs.map(({ sampler: { engine }, rates }) => ({
    model,
    engine,
    count,
    namesPerSecond: summarise(rates),
    repeats: rates.length,
  }));
}

type Loss = Pick<Evaluation, "loss"> & { readonly engine: string };

function checkSameModel(a: Loss, b: Loss): void {
  if (!(Math.abs(a.loss - b.loss) < TOLERANCE))
    throw new Error(`${a.engine} and ${b.engine} do not have the same model: ${a.loss} and ${b.loss} nats.`);
}

function train(page: Page, task: Task, steps: number): Promise<Description> {
  return page.evaluate(([task, steps]) => bench.remote("sample").train(task, steps), [task, steps] as const);
}

/** Starts ONNX Runtime in a page whose worker has trained. */
async function openEvaluator(engine: string, page: Page) {
  await page.evaluate(() => bench.remote("sample").startSampling(10));
  const all: Evaluation[] = [];
  const evaluate = (words?: number) =>
    page.evaluate((words) => bench.remote("sample").evaluate(words), words);
  return { engine, evaluate, all };
}

function inBrowser(engine: string, page: Page): Sampler {
  const fresh = engine !== "makemore-web-again";
  return {
    engine,
    sample: (count, calls) =>
      page.evaluate(([count, calls, fresh]) => bench.remote("sample").sample(count, calls, fresh), [
        count,
        calls,
        fresh,
      ] as const),
  };
}

function inPyTorch(engine: string, torch: PyTorch): Sampler {
  return {
    engine,
    sample: async (count, calls) => {
      const how = engine.replace("pytorch-", "");
      return (await torch.ask<{ ms: number }>({ sample: count, how, calls })).ms;
    },
  };
}

/**
 * Opens the bench's page with cross-origin isolation, which ONNX Runtime needs for threads. A proxy server adds
 * the headers, because nested workers need them as well.
 */
async function openIsolated(browser: Browser, url: string): Promise<{ page: Page; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const answer = await fetch(new URL(request.url ?? "/", url));
    response.writeHead(answer.status, {
      "content-type": answer.headers.get("content-type") ?? "text/plain",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    response.end(new Uint8Array(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = server.address();
  const page = await browser.newPage();
  await page.goto(`http://localhost:${typeof address === "object" ? address?.port : ""}`);
  if (!(await page.evaluate(() => crossOriginIsolated))) throw new Error("The page is not isolated.");
  const close = async () => {
    await page.close();
    server.close();
  };
  return { page, close };
}

/** Times the first `sample(10)` of workers of the built package that have just trained, ms. */
async function timeFirstSamples(
  browser: Browser,
  { words, seed, shuffle }: Task,
  say: Context["say"],
): Promise<Summary> {
  say("sampling: building the package");
  buildPackage();
  say(`sampling: the first of ${FIRST_REPEATS} workers`);
  return withBuiltPage(browser, async (page) => {
    const times: number[] = [];
    for (let repeat = 0; repeat < FIRST_REPEATS; repeat++)
      times.push(...(await timeSamples(page, words, { steps: STEPS, seed, shuffle }, 1)));
    return summarise(times);
  });
}

/** Warms a sampler up, and returns the number of calls per repeat. */
async function warmUp(sampler: Sampler, count: number): Promise<number> {
  const start = performance.now();
  for (let calls = 1; ; calls *= 2) {
    const ms = await sampler.sample(count, calls);
    if (performance.now() - start >= WARM_UP_MS) return Math.max(1, Math.round((REPEAT_MS * calls) / ms));
  }
}

function heading({ model, count }: Measured): string {
  return `Sampling ${count} names, ${model}`;
}

/** Formats the results as tables. */
export function printSample({ sample, evaluate, missing, firstSampleMs }: SampleResults): string {
  const out: string[] = [];
  for (const what of new Set(sample.map(heading))) {
    const rows = sample.filter((row) => heading(row) === what);
    const peer = rows.find(({ engine }) => engine === "pytorch-batched")?.namesPerSecond.median;
    out.push(
      `\n${what}`,
      table(
        ["engine", "names/s", "min", "max", "x PyTorch batched", "what"],
        [
          ...rows.map(({ engine, namesPerSecond: { median, min, max } }) => [
            engine,
            show(median),
            show(min),
            show(max),
            peer === undefined ? "" : show(median / peer),
            samplers[engine] ?? "",
          ]),
          ...missing.map(({ engine }) => [engine, "absent"]),
        ],
      ),
    );
  }
  out.push(...missing.map(({ engine, reason }) => `${engine}: ${reason}`));
  if (firstSampleMs) {
    const [median, min, max] = [firstSampleMs.median, firstSampleMs.min, firstSampleMs.max].map((ms) =>
      show(ms / 1000),
    );
    out.push(
      `The built package's first sample(10) after training took ${median} s (${min} to ${max}), ONNX Runtime's start included.`,
    );
  }
  if (evaluate.length > 0)
    out.push(
      "\nEvaluating the training split",
      table(
        ["engine", "seconds", "min", "max", "examples", "loss, nats"],
        evaluate.map(({ engine, examples, seconds: { median, min, max }, loss }) => [
          engine,
          show(median),
          show(min),
          show(max),
          examples.toLocaleString("en-US"),
          loss.toFixed(5),
        ]),
      ),
    );
  return out.join("\n");
}

/**
 * Names a second, and seconds to evaluate the training split: this package beside PyTorch on one
 * thread, on the same briefly trained model, taking turns.
 */
import type { Context } from "./bench";
import { howToInstall, startPyTorch } from "./pytorch";
import { type Summary, show, summarise, table } from "./statistics";
import type { Task } from "./web/trainers";

/** Steps that the model is trained before; enough for names of a usual length. */
const STEPS = 3000;
const REPEATS = 7;
/** A repeat makes calls for about this long, ms, or one. */
const REPEAT_MS = 300;
/** Before that it makes calls for this long, ms, so that the browser has compiled it in earnest. */
const WARM_UP_MS = 1000;
/** Names of a call. */
const COUNTS = [10, 1000];
/** Float32 rounding of a mean over all examples. */
const TOLERANCE = 1e-4;

/** What `--engines` may name; the words say what is measured. */
export const samplers: Readonly<Record<string, string>> = {
  "makemore-web": "a model that was just trained",
  "makemore-web-again": "a model that sampled before and remembers beginnings",
  "pytorch-notebook": "the lecture's loop, a name at a time",
  "pytorch-batched": "all names in lock-step, finished ones dropped",
};

export interface SampleResults {
  readonly sample: readonly { engine: string; count: number; namesPerSecond: Summary; repeats: number }[];
  readonly evaluate: readonly { engine: string; examples: number; seconds: Summary; loss: number }[];
  /** The first `sample(10)` after training, ONNX Runtime's start included, ms. */
  readonly firstSampleMs?: number;
  readonly missing: readonly { engine: string; reason: string }[];
}

/** Something that samples: `calls` calls of `count` names each, ms in all. */
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
export async function benchSample({ page, engines, data, pytorch, say }: Context): Promise<SampleResults> {
  const task: Task = {
    ...data,
    batchSize: 64,
    optimizer: { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 },
  };
  const asked = Object.keys(samplers).filter((engine) => engines.includes(engine));
  const missing: { engine: string; reason: string }[] = [];
  const ready: Sampler[] = [];
  const evaluators: { engine: string; evaluate(): Promise<Evaluation>; all: Evaluation[] }[] = [];

  say(`sampling: training ${STEPS} steps`);
  const model = await page.evaluate(([task, steps]) => bench.remote("sample").train(task, steps), [
    task,
    STEPS,
  ] as const);
  const ours = asked.filter((engine) => engine.startsWith("makemore-web"));
  let firstSampleMs: number | undefined;
  if (ours.length > 0) {
    firstSampleMs = await page.evaluate(() => bench.remote("sample").firstSample(10));
    evaluators.push({
      engine: "makemore-web",
      evaluate: () => page.evaluate(() => bench.remote("sample").evaluate()),
      all: [],
    });
  }
  for (const engine of ours)
    ready.push({
      engine,
      sample: (count, calls) =>
        page.evaluate(([count, calls, fresh]) => bench.remote("sample").sample(count, calls, fresh), [
          count,
          calls,
          engine === "makemore-web",
        ] as const),
    });

  const peers = asked.filter((engine) => engine.startsWith("pytorch"));
  if (!pytorch) for (const engine of peers) missing.push({ engine, reason: howToInstall });
  const torch = pytorch && peers.length > 0 ? startPyTorch() : undefined;
  if (torch) {
    const { batchSize, optimizer } = task;
    await torch.ask({ set_up: { ...model, batchSize, optimizer, learningRate: 0 } });
    evaluators.push({ engine: "pytorch", evaluate: () => torch.ask({ evaluate: true }), all: [] });
    for (const engine of peers)
      ready.push({
        engine,
        sample: async (count, calls) => {
          const how = engine.replace("pytorch-", "");
          return (await torch.ask<{ ms: number }>({ sample: count, how, calls })).ms;
        },
      });
  }

  const sample: { engine: string; count: number; namesPerSecond: Summary; repeats: number }[] = [];
  for (const count of COUNTS) {
    say(`sampling: ${count} names`);
    const runs: { sampler: Sampler; calls: number; rates: number[] }[] = [];
    for (const sampler of ready) {
      runs.push({ sampler, calls: await warmUp(sampler, count), rates: [] });
    }
    for (let repeat = 0; repeat < REPEATS; repeat++)
      for (const { sampler, calls, rates } of runs)
        rates.push((1000 * count * calls) / (await sampler.sample(count, calls)));
    for (const { sampler, rates } of runs)
      sample.push({
        engine: sampler.engine,
        count,
        namesPerSecond: summarise(rates),
        repeats: rates.length,
      });
  }

  say("sampling: evaluating the training split");
  for (let repeat = 0; repeat < 3; repeat++)
    for (const { evaluate, all } of evaluators) all.push(await evaluate());
  const evaluations = evaluators.map(({ engine, all }) => ({
    engine,
    examples: all[0]?.examples ?? 0,
    seconds: summarise(all.map(({ ms }) => ms / 1000)),
    loss: all[0]?.loss ?? Number.NaN,
  }));
  const [a, b] = evaluations;
  if (a && b && !(Math.abs(a.loss - b.loss) < TOLERANCE))
    throw new Error(`${a.engine} and ${b.engine} do not have the same model: ${a.loss} and ${b.loss} nats.`);

  torch?.close();
  await page.evaluate(() => bench.close("sample"));
  return {
    sample,
    evaluate: evaluations,
    missing,
    ...(firstSampleMs === undefined ? {} : { firstSampleMs }),
  };
}

/** Calls until everything is compiled in earnest; gives the calls that make a repeat. */
async function warmUp(sampler: Sampler, count: number): Promise<number> {
  const start = performance.now();
  for (let calls = 1; ; calls *= 2) {
    const ms = await sampler.sample(count, calls);
    if (performance.now() - start >= WARM_UP_MS) return Math.max(1, Math.round((REPEAT_MS * calls) / ms));
  }
}

/** As tables. */
export function printSample({ sample, evaluate, missing, firstSampleMs }: SampleResults): string {
  const out: string[] = [];
  for (const count of new Set(sample.map((row) => row.count)))
    out.push(
      `\nSampling ${count} names`,
      table(
        ["engine", "names/s", "min", "max", "what"],
        [
          ...sample
            .filter((row) => row.count === count)
            .map(({ engine, namesPerSecond: { median, min, max } }) => [
              engine,
              show(median),
              show(min),
              show(max),
              samplers[engine] ?? "",
            ]),
          ...missing.map(({ engine }) => [engine, "absent"]),
        ],
      ),
    );
  out.push(...missing.map(({ engine, reason }) => `${engine}: ${reason}`));
  if (firstSampleMs !== undefined)
    out.push(
      `The first sample(10) after training took ${show(firstSampleMs / 1000)} s, ONNX Runtime's start included.`,
    );
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

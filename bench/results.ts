/**
 * `npm run results`: runs whole trainings of the built package in a Chromium worker, from the call of `train` to its
 * result. docs/results.md records the results. For each recipe it prints the mean and range over seeds, and
 * PyTorch's time on the same machine in the same run. The words of a file from --words are not shuffled: the
 * lecture's list is shuffled already, and its first 80 %, next 10 % and last 10 % are the lecture's splits.
 *
 * With `--lists` it trains on lists of all lengths instead (bench/lists.ts).
 *
 *     npm run results -- --lists [--seeds 42]
 *     npm run results -- [--words FILE] [--runs default,best,lecture,gru,gru-makemore,…] [--seeds 42,43,44]
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";
import type { Losses, Makemore, TrainOptions, TrainResult } from "../src";
import { buildDataset } from "../worker/data/dataset";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, initialParameters, parameterCount } from "../worker/model/network";
import { checkTrainOptions } from "../worker/options";
import { withBuiltPage } from "./built";
import { printLists } from "./lists";
import { havePyTorch, howToInstall, startPyTorch } from "./pytorch";
import type { Description } from "./web/worker";

/** The models that read words, each with its default recipe and with makemore.py's. */
const families = ["bigram", "bow", "rnn", "gru", "lstm", "transformer", "microgpt"] as const;

/** Trainings by name. */
const trainings: Readonly<Record<string, TrainOptions>> = {
  default: {},
  thorough: { recipe: "thorough" },
  best: { recipe: "best" },
  lecture: { recipe: "lecture" },
  "lecture-small": { recipe: "lecture", model: { embedding: 10, hidden: 68 } },
  "lecture-mlp": { recipe: "lecture", model: "mlp" },
  ...Object.fromEntries(
    families.flatMap((model) => [
      [model, { model }],
      [`${model}-makemore`, { model, recipe: "makemore" } as const],
    ]),
  ),
};

/** Default of `--runs`. */
const usual = ["default", "thorough", "best", "lecture", "lecture-small", "lecture-mlp"];

/** Number of PyTorch's steps that are timed before and after each of our runs. */
const PYTORCH_STEPS = 100;

/** One training. `seconds` is measured in the page, from the call to the result; `before` and `after` are parts of it. */
type Run = Pick<TrainResult, "step" | "backend" | "device" | "model"> & {
  readonly seconds: number;
  /** Seconds before the first progress and after the last. */
  readonly before: number;
  readonly after: number;
  readonly losses: Losses;
};

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      words: { type: "string" },
      runs: { type: "string", default: usual.join() },
      lists: { type: "boolean", default: false },
      seeds: { type: "string", default: "42,43,44" },
    },
  });
  const words = readFileSync(values.words ?? new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const seeds = values.seeds.split(",").map(Number);
  const runs = values.runs.split(",").map((name) => {
    const options = trainings[name];
    if (options) return { name, options: { ...options, shuffle: values.words === undefined } };
    throw new Error(`--runs has "${name}"; there are ${Object.keys(trainings).join(", ")}.`);
  });

  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  if (values.lists) {
    const [seed = 42] = seeds;
    console.log(`${cpus()[0]?.model}, Chromium ${browser.version()}, seed ${seed}\n`);
    try {
      await withBuiltPage(browser, (page) => printLists(page, seed));
    } finally {
      await browser.close();
    }
    return;
  }
  const aside: string[] = [];
  const pytorch = havePyTorch();
  if (!pytorch) console.log(`PyTorch: ${howToInstall}`);
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, Chromium ${browser.version()}, seeds ${values.seeds}\n`,
  );
  console.log(
    "| run | parameters | steps x batch | engine | seconds | PyTorch, seconds | ratio | train | validation | test |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|");
  try {
    await withBuiltPage(browser, async (page) => {
      for (const { name, options } of runs) {
        // bench/pytorch.py builds trees of pairs only.
        const isTree = options.model === undefined || typeof options.model === "object";
        const torch = pytorch && isTree ? await PyTorchPace.open(words, options) : undefined;
        const all: Run[] = [];
        await torch?.measure();
        for (const seed of seeds) {
          all.push(await train(page, words, { ...options, seed }));
          await torch?.measure();
        }
        torch?.close();
        const [first] = all;
        if (!first) throw new Error("--seeds is empty.");
        const seconds = all.map((run) => run.seconds);
        const peer = torch ? torch.msPerStep.map((ms) => (ms * first.step) / 1000) : [];
        const cells = [
          name,
          first.model.parameters.toLocaleString("en"),
          `${first.step.toLocaleString("en")} x ${checkTrainOptions(options)().batchSize}`,
          `${first.backend}, ${first.device}`,
          spread(seconds, 1),
          torch ? spread(peer, 0) : "",
          torch ? (mean(peer) / mean(seconds)).toFixed(1) : "",
          ...(["train", "validation", "test"] as const).map((part) =>
            spread(
              all.map(({ losses }) => losses[part]),
              4,
            ),
          ),
        ];
        console.log(`| ${cells.join(" | ")} |`);
        const [before, after] = [all.map((run) => run.before), all.map((run) => run.after)];
        aside.push(
          `${name}: ${spread(before, 2)} s before the first progress, ${spread(after, 2)} s after the last.`,
        );
      }
    });
  } finally {
    await browser.close();
  }
  console.log(`\nOf the seconds:\n${aside.join("\n")}`);
  console.log(`\nLoad of the machine at the end: ${loadavg()[0]?.toFixed(1)} of ${cpus().length}.`);
}

/** Trains and evaluates in a new worker. */
function train(page: Page, words: string, options: TrainOptions): Promise<Run> {
  return page.evaluate(
    async ({ words, options }) => {
      // @ts-expect-error the page's script has put it there
      const mm: Makemore = new globalThis.Makemore();
      const start = performance.now();
      const secondsSoFar = () => (performance.now() - start) / 1000;
      const progress: number[] = [];
      const onProgress = () => void progress.push(secondsSoFar());
      const { step, backend, device, model } = await mm.train(words, { ...options, onProgress });
      const seconds = secondsSoFar();
      const [before = seconds] = progress;
      const after = seconds - (progress.at(-1) ?? seconds);
      const losses = await mm.evaluate();
      mm.dispose();
      return { step, backend, device, model, seconds, before, after, losses };
    },
    { words, options },
  );
}

/**
 * Times PyTorch's steps on one thread, with the same model, batch size, optimiser and words. PyTorch trains on hard
 * targets in random order; soft targets would take a little longer.
 */
class PyTorchPace {
  readonly msPerStep: number[] = [];
  private constructor(readonly torch: ReturnType<typeof startPyTorch>) {}

  static async open(words: string, options: TrainOptions): Promise<PyTorchPace> {
    const settings = checkTrainOptions(options)();
    const { train, vocabulary } = buildDataset(words, settings);
    const network = buildNetwork(architecture(settings.model), vocabulary.size);
    const parameters = initialParameters(network, settings.seed);
    const description: Description = {
      parameterCount: parameterCount(network.parameters),
      parameters: Object.fromEntries(
        network.parameters.map(({ name, shape }) => [
          name,
          { shape, values: Array.from(parameters.get(name) ?? []) },
        ]),
      ),
      stream: Array.from(train),
      batches: [],
    };
    const torch = startPyTorch();
    const { batchSize, optimizer, learningRate } = settings;
    await torch.ask({ set_up: { ...description, batchSize, optimizer, learningRate: learningRate.peak } });
    await torch.ask({ train: PYTORCH_STEPS });
    return new PyTorchPace(torch);
  }

  async measure(): Promise<void> {
    const { ms } = await this.torch.ask<{ ms: number }>({ train: PYTORCH_STEPS });
    this.msPerStep.push(ms / PYTORCH_STEPS);
  }

  close(): void {
    this.torch.close();
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** Formats the mean, with the range if there are several numbers. */
function spread(numbers: readonly number[], digits: number): string {
  const range = `${Math.min(...numbers).toFixed(digits)} - ${Math.max(...numbers).toFixed(digits)}`;
  return `${mean(numbers).toFixed(digits)}${numbers.length > 1 ? ` (${range})` : ""}`;
}

/**
 * `npm run bench`: benchmarks this package's engines and their peers, in one run on one machine, and prints
 * the measurements.
 *
 *     npm run bench -- [--only train|sample|page] [--engines a,b] [--models a,b] [--words FILE] [--json]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Page } from "playwright";
import { openPage } from "./browser";
import { benchPage, printPage } from "./page";
import { havePyTorch } from "./pytorch";
import { benchSample, printSample, type SampleResults, samplers } from "./sample";
import { benchTrain, families, printTrain, type TrainResults, trainers } from "./train";
import type { Task } from "./web/trainers";

/** Input of each part of the benchmark. */
export interface Context {
  readonly page: Page;
  readonly engines: readonly string[];
  /** Models to train and sample. */
  readonly models: readonly string[];
  readonly data: Pick<Task, "words" | "seed" | "split" | "shuffle">;
  readonly pytorch: boolean;
  /** Reports progress. */
  say(line: string): void;
}

const known: readonly string[] = [...trainers, ...Object.keys(samplers)];
const knownModels: readonly string[] = ["wavenet", ...families];
const parts: readonly string[] = ["train", "sample", "page"];

function options(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      engines: { type: "string" },
      models: { type: "string" },
      words: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { only, words, json } = values;
  if (only !== undefined && !parts.includes(only))
    throw new Error(`--only is one of ${parts.join(", ")}, not "${only}".`);
  const among = (option: "engines" | "models", all: readonly string[]) => {
    const names = values[option]?.split(",") ?? all;
    for (const name of names)
      if (!all.includes(name)) throw new Error(`--${option} has "${name}"; there are ${all.join(", ")}.`);
    return names;
  };
  const engines = among("engines", known);
  const models = among("models", knownModels);
  const file = words ?? fileURLToPath(new URL("../demo/words/names.txt", import.meta.url));
  const data = {
    words: readFileSync(file, "utf8"),
    seed: 42,
    split: [0.8, 0.1, 0.1] as const,
    // Keep the order of a list from --words: the lecture's is shuffled already.
    shuffle: words === undefined,
  };
  return { runs: (part: string) => only === undefined || only === part, json, engines, models, data };
}

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { runs, json, engines, models, data } = options(args);
  const started = performance.now();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("building the page");
  const { page, browser, close } = await openPage(fileURLToPath(new URL("web", import.meta.url)));
  const context: Context = { page, engines, models, data, pytorch: havePyTorch(), say };
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, browser, node: process.version };
  let train: TrainResults | undefined;
  let sample: SampleResults | undefined;
  try {
    const asked = (names: readonly string[]) => names.some((name) => engines.includes(name));
    if (runs("train") && asked(trainers)) train = await benchTrain(context);
    if (runs("sample") && asked(Object.keys(samplers))) sample = await benchSample(context);
  } finally {
    await close();
  }
  // Run it while no other page is open.
  const demo = runs("page") ? await benchPage(say) : undefined;
  if (json) {
    const missing = [...(train?.missing ?? []), ...(sample?.missing ?? [])];
    process.stdout.write(`${JSON.stringify({ machine, ...train, ...sample, ...demo, missing }, null, 2)}\n`);
    return;
  }
  const lines = [
    `\n${machine.cpu}, ${machine.cores} cores; ${browser}; Node ${process.version}`,
    ...(train ? [printTrain(train)] : []),
    ...(sample ? [printSample(sample)] : []),
    ...(demo ? [printPage(demo)] : []),
    `\nin ${Math.round((performance.now() - started) / 1000)} s`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/**
 * `npm run bench`: this package's engines beside their peers, in one run on one machine. It prints
 * what it measured, and nothing else.
 *
 *     npm run bench -- [--only train|sample|page] [--engines a,b] [--words FILE] [--json]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Page } from "playwright";
import { openPage } from "./browser";
import { havePyTorch } from "./pytorch";
import { benchTrain, printTrain, trainers } from "./train";

/** What each part of the bench is given. */
export interface Context {
  readonly page: Page;
  readonly engines: readonly string[];
  /** One word a line. */
  readonly words: string;
  readonly pytorch: boolean;
  /** For those who wait. */
  say(line: string): void;
}

const known: readonly string[] = trainers;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      engines: { type: "string" },
      words: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { only, json } = values;
  if (only !== undefined && !["train", "sample", "page"].includes(only))
    throw new Error(`--only is train, sample or page, not "${only}".`);
  const engines = values.engines?.split(",") ?? known;
  for (const engine of engines)
    if (!known.includes(engine))
      throw new Error(`There is no engine "${engine}"; there are ${known.join(", ")}.`);
  const file = values.words ?? fileURLToPath(new URL("../demo/words/names.txt", import.meta.url));
  return { only, json, engines, words: readFileSync(file, "utf8") };
}

/** The command. */
export async function main(): Promise<void> {
  const { only, json, engines, words } = options();
  const started = performance.now();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const pytorch = havePyTorch();
  say("building the page");
  const { page, browser, close } = await openPage(fileURLToPath(new URL("web", import.meta.url)));
  try {
    const context = { page, engines, words, pytorch, say };
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, browser, node: process.version };
    const train = only === undefined || only === "train" ? await benchTrain(context) : undefined;
    if (json) {
      process.stdout.write(`${JSON.stringify({ machine, ...train }, null, 2)}\n`);
      return;
    }
    say("");
    process.stdout.write(
      `${machine.cpu}, ${machine.cores} cores; ${machine.browser}; Node ${machine.node}\n`,
    );
    if (train) process.stdout.write(`${printTrain(train)}\n`);
    process.stdout.write(`\nin ${Math.round((performance.now() - started) / 1000)} s\n`);
  } finally {
    await close();
  }
}

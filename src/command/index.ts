#!/usr/bin/env node
/**
 * `npx makemore-web towns.txt`: trains on a file of words and prints more of them. The words go to the standard
 * output, all else to the standard error. Exit codes: 0, 1 for a failure, 2 for a wrong command line, 130 after
 * Ctrl+C.
 */
import { access, constants, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { buffer } from "node:stream/consumers";
import { MakemoreError } from "../errors";
import { Makemore } from "../makemore";
import type { RecipeName, ResumeOptions, TrainResult } from "../types";
import { type CommandOptions, modelChoice, parseArguments, readAvoided, UsageError } from "./options";
import { type Origin, originsOf, SPLIT, type Words } from "./origin";
import { progressDisplay } from "./progress";

/** Steps between live samples on a terminal. */
const SAMPLE_EVERY = 200;
const INTERRUPTED = 130;
/** Default seed of `train`. */
const DEFAULT_SEED = 42;

const HEADINGS: Readonly<Record<Origin, string>> = {
  train: "that are in train",
  test: "that are in test",
  list: "that are in the list",
  new: "that are new",
};

async function main(): Promise<number> {
  const { words: file, options } = parseArguments(process.argv.slice(2));
  // A reader such as `head` may close the pipe early.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const avoid = options.avoid === undefined ? undefined : readAvoided(options.avoid);
  const words = file === undefined ? undefined : { text: await readText(file), column: options.column };
  const mm = new Makemore();
  const { output, resume, sampleOnly } = options;
  // Fail before the training, not after it.
  if (output !== undefined && !sampleOnly) {
    const folder = dirname(output);
    await named(`write to ${folder}`, access(folder, constants.W_OK));
  }
  if (output !== undefined && (resume || sampleOnly))
    await mm.load(
      await named(`read ${output}`, readFile(output)),
      words && { words: words.text, column: words.column },
    );
  let result: TrainResult | undefined;
  if (words && !sampleOnly) {
    result = await learn(mm, words, options);
    if (output !== undefined) await writeFile(output, await mm.exportONNX());
    if (result.stopped) {
      const saved = `saved to ${output}: go on with --resume`;
      process.stderr.write(
        `Stopped at step ${result.step}; ${output === undefined ? "not saved (no -o)" : saved}.\n`,
      );
      return INTERRUPTED;
    }
  }
  await printSamples(mm, words, options, avoid, result);
  return 0;
}

async function readText(file: string): Promise<string> {
  const bytes = file === "-" ? await buffer(process.stdin) : await named(`read ${file}`, readFile(file));
  return new TextDecoder().decode(bytes);
}

/** @throws Error that says in plain words why a file cannot be read or written */
async function named<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const reasons = new Map([
      ["ENOENT", "there is no such file or folder"],
      ["EISDIR", "it is a folder"],
    ]);
    throw new Error(`cannot ${what}: ${reasons.get(Object(cause).code) ?? cause}`, { cause });
  }
}

/** Trains. The first Ctrl+C stops it and keeps the model, the second ends the process at once. */
async function learn(mm: Makemore, words: Words, options: CommandOptions): Promise<TrainResult> {
  const display = progressDisplay(process.stderr, options.quiet === true);
  const during: ResumeOptions = {
    steps: options.steps,
    learningRate: options.learningRate,
    sampleEvery: process.stderr.isTTY && !options.quiet ? SAMPLE_EVERY : undefined,
    onProgress: display.show,
  };
  const interrupt = () => {
    process.once("SIGINT", () => process.exit(INTERRUPTED));
    mm.stop();
  };
  process.once("SIGINT", interrupt);
  try {
    const result = options.resume
      ? await mm.resume(during)
      : await mm.train(words.text, {
          ...during,
          model: modelChoice(options),
          recipe: options.recipe as RecipeName | undefined,
          batchSize: options.batchSize,
          seed: options.seed,
          split: SPLIT,
          column: words.column,
        });
    if (!options.quiet) for (const notice of result.notices) process.stderr.write(`${notice}\n`);
    return result;
  } finally {
    display.end();
    process.removeListener("SIGINT", interrupt);
  }
}

async function printSamples(
  mm: Makemore,
  words: Words | undefined,
  options: CommandOptions,
  avoid: string | string[] | undefined,
  result: TrainResult | undefined,
): Promise<void> {
  const { n, temperature, topK, seed, quiet, json } = options;
  const { prefix, suffix, contains, pattern, novel, minDistance } = options;
  const conditions = { prefix, suffix, contains, pattern, avoid, novel, minDistance };
  const samples = await mm.sample(n, { temperature, topK, seed, ...conditions });
  const print = (line: string) => process.stdout.write(`${line}\n`);
  if (quiet && !json) {
    for (const word of samples) print(word);
    return;
  }
  const trained = result && !options.resume;
  const originOf = words && originsOf(words, trained ? (seed ?? DEFAULT_SEED) : undefined);
  if (json) {
    const { step, seconds, backend, kept } = result ?? {};
    const training = result && { step, seconds, backend, validation: kept?.validation };
    const listed = samples.map((word) => ({ word, in: originOf?.(word) }));
    print(JSON.stringify({ training, parameters: mm.model?.parameters, samples: listed }));
    return;
  }
  if (!originOf) {
    for (const word of samples) print(word);
    return;
  }
  for (const origin of ["train", "test", "list", "new"] as const) {
    const group = samples.filter((word) => originOf(word) === origin);
    if (group.length === 0) continue;
    print("-".repeat(80));
    print(`${group.length} samples ${HEADINGS[origin]}:`);
    for (const word of group) print(word);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) process.exitCode = error.exitCode;
  else {
    const isUsage =
      error instanceof MakemoreError && (error.code === "INVALID_OPTION" || error.code === "INVALID_MODEL");
    process.stderr.write(`makemore-web: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

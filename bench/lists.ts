/**
 * Trains on lists of all lengths, with the recipe of 0.1.0 and with today's defaults, to show what
 * `steps: "auto"` and `keepBest` gain. docs/results.md records the results.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import type { Makemore, TrainOptions } from "../src";
import { summarise } from "./statistics";

/** The recipe of 0.1.0, which was the same for every list. */
const before: TrainOptions = {
  model: "wavenet",
  steps: 10_000,
  batchSize: 64,
  learningRate: { peak: 2e-3, warmup: 200, decay: "cosine" },
  optimizer: { type: "adamw", beta1: 0.9, weightDecay: 0.01 },
  order: "random",
  targets: "hard",
  keepBest: false,
};

/** Below this number of words, report the share of copied words. */
const SHORT = 3000;

function read(path: string): string[] {
  return readFileSync(new URL(path, import.meta.url), "utf8")
    .trim()
    .split("\n");
}

/** Picks words at even distances, because the lists are sorted: towns by country, plants by name. */
function spread(words: readonly string[], count: number): string[] {
  return Array.from({ length: count }, (_, i) => words[Math.floor((i * words.length) / count)] ?? "");
}

function lists(): { readonly name: string; readonly words: readonly string[] }[] {
  const names = read("../demo/words/names.txt");
  const girls = read("words/girls-1900.txt");
  const towns = read("words/towns.txt");
  const plants = read("words/plants.txt");
  return [
    ...[5, 30, 100, 300, 1000, 3000, 10_000, names.length].map((count) => ({
      name: "names of 2016",
      words: names.slice(0, count),
    })),
    ...[100, 300, 1000].map((count) => ({ name: "girls of 1900", words: girls.slice(0, count) })),
    ...[30, 100, towns.length].map((count) => ({ name: "towns", words: spread(towns, count) })),
    ...[30, 100, plants.length].map((count) => ({ name: "plants", words: spread(plants, count) })),
  ].sort((a, b) => a.words.length - b.words.length);
}

/** Result of one training. */
interface Outcome {
  readonly parameters: number;
  readonly step: number;
  readonly kept: number | undefined;
  readonly seconds: number;
  readonly copies: number;
  readonly validation: number;
}

/** Prints the table. */
export async function printLists(page: Page, seed: number): Promise<void> {
  console.log(
    "| words | list | ln(vocabulary) | validation | copies | s | parameters | steps, kept | validation | copies | s |",
  );
  console.log("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
  const short: [before: number, after: number][] = [];
  for (const { name, words } of lists()) {
    const old = await train(page, words, { ...before, seed });
    const now = await train(page, words, { seed });
    if (words.length < SHORT) short.push([old.copies, now.copies]);
    const cells = [
      words.length.toLocaleString("en"),
      name,
      Math.log(new Set(words.join("")).size + 1).toFixed(2),
      ...show(old),
      now.parameters.toLocaleString("en"),
      `${now.step}, ${now.kept ?? "last"}`,
      ...show(now),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
  const [old, now] = [0, 1].map((i) => summarise(short.map((shares) => shares[i] ?? Number.NaN)).median);
  console.log(
    `\nBelow ${SHORT.toLocaleString("en")} words the median share of copies is ${percent(now)}; it was ${percent(old)}.`,
  );
}

function show({ validation, copies, seconds }: Outcome): string[] {
  return [Number.isNaN(validation) ? "-" : validation.toFixed(3), percent(copies), seconds.toFixed(1)];
}

function percent(share = Number.NaN): string {
  return `${Math.round(share * 100)} %`;
}

/** Trains in the page, in a new worker. */
function train(page: Page, words: readonly string[], options: TrainOptions): Promise<Outcome> {
  return page.evaluate(
    async ({ words, options }) => {
      // @ts-expect-error the page's script has put it there
      const mm: Makemore = new globalThis.Makemore();
      const { model, step, kept, seconds, copies } = await mm.train(words, options);
      const { validation } = await mm.evaluate();
      mm.dispose();
      return { parameters: model.parameters, step, kept: kept?.step, seconds, copies, validation };
    },
    { words, options },
  );
}

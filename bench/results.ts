/**
 * `npm run results`: whole trainings of the built package in a Chromium worker, from words to losses, as
 * docs/results.md records them. A file that is given stays in its order: the lecture's is shuffled
 * already, and its first 80 %, next 10 % and last 10 % are the lecture's splits.
 *
 * With `--lists` it trains on lists of all lengths instead: bench/lists.ts.
 *
 *     npm run results -- --lists [--seed 42]
 *     npm run results -- [--words FILE] [--runs default,default-30k,lecture,lecture-small,lecture-mlp] [--seed 42]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { chromium } from "playwright";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";
import type { Makemore, TrainOptions } from "../src";
import { withBuiltPage } from "./built";
import { printLists } from "./lists";

/** What to train, by name. */
const trainings: Readonly<Record<string, TrainOptions>> = {
  default: {},
  "default-30k": { steps: 30_000 },
  lecture: { recipe: "lecture" },
  "lecture-small": { recipe: "lecture", model: { embedding: 10, hidden: 68 } },
  "lecture-mlp": { recipe: "lecture", model: "mlp" },
};

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      words: { type: "string" },
      runs: { type: "string", default: Object.keys(trainings).join() },
      seed: { type: "string", default: "42" },
      lists: { type: "boolean", default: false },
    },
  });
  const words = readFileSync(values.words ?? new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const common = { seed: Number(values.seed), shuffle: values.words === undefined };
  const runs = values.runs.split(",").map((name) => {
    const options = trainings[name];
    if (options) return { name, options: { ...options, ...common } };
    throw new Error(`--runs has "${name}"; there are ${Object.keys(trainings).join(", ")}.`);
  });

  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  console.log(`${cpus()[0]?.model}, Chromium ${browser.version()}, seed ${values.seed}\n`);
  if (values.lists) {
    try {
      await withBuiltPage(browser, (page) => printLists(page, Number(values.seed)));
    } finally {
      await browser.close();
    }
    return;
  }
  console.log("| run | parameters | steps x batch | engine | seconds | train | validation | test |");
  console.log("|---|---|---|---|---|---|---|---|");
  try {
    await withBuiltPage(browser, async (page) => {
      for (const { name, options } of runs) {
        const { result, losses } = await page.evaluate(
          async ({ words, options }) => {
            // @ts-expect-error the page's script has put it there
            const mm: Makemore = new globalThis.Makemore();
            const { losses: _, smoothed: __, ...result } = await mm.train(words, options);
            const losses = await mm.evaluate();
            mm.dispose();
            return { result, losses };
          },
          { words, options },
        );
        const { model, steps, backend, device, seconds } = result;
        const batchSize = options.recipe === "lecture" ? 32 : 64;
        const cells = [
          name,
          model.parameters.toLocaleString("en"),
          `${steps.toLocaleString("en")} x ${batchSize}`,
          `${backend}, ${device}`,
          seconds.toFixed(1),
          ...[losses.train, losses.validation, losses.test].map((loss) => loss.toFixed(4)),
        ];
        console.log(`| ${cells.join(" | ")} |`);
      }
    });
  } finally {
    await browser.close();
  }
}

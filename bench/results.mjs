/**
 * `npm run results -- [--words FILE]`: whole trainings of the built package in a Chromium worker, from
 * words to losses, as docs/results.md records them. A file that is given stays in its order: the
 * lecture's is shuffled already, and its first 80 %, next 10 % and last 10 % are the lecture's splits.
 *
 *     npm run results -- [--words FILE] [--runs default,default-30k,lecture,lecture-small,lecture-mlp] [--seed 42]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright";
import { preview } from "vite";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";

/** What to train, by name: options of `train`. */
const trainings = {
  default: {},
  "default-30k": { steps: 30_000 },
  lecture: { recipe: "lecture" },
  "lecture-small": { recipe: "lecture", model: { embedding: 10, hidden: 68 } },
  "lecture-mlp": { recipe: "lecture", model: "mlp" },
};

const { values } = parseArgs({
  options: {
    words: { type: "string" },
    runs: { type: "string", default: Object.keys(trainings).join() },
    seed: { type: "string", default: "42" },
  },
});
const words = readFileSync(values.words ?? new URL("../demo/words/names.txt", import.meta.url), "utf8");
const shuffle = values.words === undefined;
const chosen = values.runs.split(",");
const unknown = chosen.find((name) => !(name in trainings));
if (unknown !== undefined)
  throw new Error(`--runs has "${unknown}"; there are ${Object.keys(trainings).join(", ")}.`);
const runs = Object.entries(trainings).filter(([name]) => chosen.includes(name));

const server = await preview({
  root: fileURLToPath(new URL("..", import.meta.url)),
  configFile: false,
  logLevel: "error",
  build: { outDir: "dist" },
  preview: { port: 0, host: "localhost" },
});
const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
console.log(`${cpus()[0]?.model}, Chromium ${browser.version()}, seed ${values.seed}\n`);
console.log("| run | parameters | steps x batch | engine | seconds | train | validation | test |");
console.log("|---|---|---|---|---|---|---|---|");
try {
  const page = await browser.newPage();
  const origin = server.resolvedUrls?.local[0] ?? "";
  await page.route(origin, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<script type="module">import { Makemore } from "./index.js"; globalThis.Makemore = Makemore;</script>`,
    }),
  );
  await page.goto(origin);
  await page.waitForFunction("globalThis.Makemore");
  for (const [name, options] of runs) {
    const row = await page.evaluate(
      async ({ words, options, seed, shuffle }) => {
        // @ts-expect-error the page's script has put it there
        const mm = new globalThis.Makemore();
        const result = await mm.train(words, { ...options, seed, shuffle });
        const losses = await mm.evaluate();
        mm.dispose();
        return { ...result, losses, batchSize: undefined, smoothed: undefined };
      },
      { words, options, seed: Number(values.seed), shuffle },
    );
    const { train, validation, test } = row.losses;
    const batch = "recipe" in options ? 32 : 64;
    console.log(
      `| ${name} | ${row.model.parameters.toLocaleString("en")} | ${row.steps.toLocaleString("en")} x ${batch} | ${row.backend}, ${row.device} | ${row.seconds.toFixed(1)} | ${[train, validation, test].map((x) => x.toFixed(4)).join(" | ")} |`,
    );
  }
} finally {
  await browser.close();
  await server.close();
}

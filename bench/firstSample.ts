/**
 * Measures the duration of the first `sample(10)` after a training with the default recipe, in ms. It does so with
 * `prefetch`, which fetches and starts ONNX Runtime during the training, and without. It runs the built package in
 * Chromium, served from this machine; without `prefetch`, a slow network would add its time.
 *
 *     npm run build && node scripts/run.mjs bench/firstSample.ts
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { chromium } from "playwright";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";
import { timeSamples, withBuiltPage } from "./built";
import { summarise } from "./statistics";

const REPEATS = 5;

/** The command. */
export async function main(): Promise<void> {
  const text = readFileSync(new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  console.log(
    `${cpus()[0]?.model}, Chromium ${browser.version()}, load ${loadavg()[0]?.toFixed(1)}, ${REPEATS} takes\n`,
  );
  console.log("| prefetch | first sample(10), ms | | second, ms |\n|---|--:|---|--:|");
  try {
    for (const prefetch of [true, false]) {
      const firsts: number[] = [];
      const seconds: number[] = [];
      for (let take = 0; take < REPEATS; take++)
        // A new page per repeat, because a worker starts ONNX Runtime only once.
        await withBuiltPage(browser, async (page) => {
          const [first = Number.NaN, second = Number.NaN] = await timeSamples(page, text, { prefetch }, 2);
          firsts.push(first);
          seconds.push(second);
        });
      const { median, min, max } = summarise(firsts);
      console.log(
        `| ${prefetch} | ${median.toFixed(0)} | ${min.toFixed(0)} – ${max.toFixed(0)} | ${summarise(seconds).median.toFixed(0)} |`,
      );
    }
  } finally {
    await browser.close();
  }
}

/**
 * Measures the time and memory to prepare words for training. It runs the built package in Chromium with the default
 * recipe, from the call of `train` to the first progress report after one step. In this time the worker reads,
 * checks, shuffles and splits the words, sorts them by context, and builds the table of contexts
 * (worker/data/examples.ts).
 *
 *     npm run build && node scripts/run.mjs bench/ready.ts [WORDS...]
 *
 * WORDS are numbers of words. The words are generated and look like the demo's: each letter depends on the three
 * before it.
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { chromium, type Page } from "playwright";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";
import type { Makemore } from "../src";
import { randomBits, randomUnit } from "../worker/data/random";
import { withBuiltPage } from "./built";
import { summarise } from "./statistics";

/** Letters that the next one depends on. */
const ORDER = 3;
const REPEATS = 5;
/** Interval of memory measurements, ms. */
const LOOK_MS = 10;

/** The command. */
export async function main(args: string[]): Promise<void> {
  const counts = args.length > 0 ? args.map(Number) : [100_000, 1_000_000];
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  console.log(
    `${cpus()[0]?.model}, Chromium ${browser.version()}, load ${loadavg()[0]?.toFixed(1)}, ${REPEATS} takes\n`,
  );
  console.log("| words | seconds | | peak memory, MB |\n|--:|--:|---|--:|");
  try {
    for (const count of counts) {
      const text = words(count);
      const seconds: number[] = [];
      let peak = 0;
      for (let take = 0; take < REPEATS; take++)
        // A new page per repeat, because freed memory does not always return to the system.
        await withBuiltPage(browser, async (page) => {
          const measured = await measure(page, text);
          seconds.push(measured.seconds);
          peak = Math.max(peak, measured.peak);
        });
      const { median, min, max } = summarise(seconds);
      console.log(
        `| ${count.toLocaleString("en")} | ${median.toFixed(2)} | ${min.toFixed(2)} – ${max.toFixed(2)} | ${(peak / 1e6).toFixed(0)} |`,
      );
    }
  } finally {
    await browser.close();
  }
}

/** Measures once. `peak` is the maximum growth of the page's process in bytes, without the words themselves. */
async function measure(page: Page, text: string): Promise<{ seconds: number; peak: number }> {
  await page.evaluate(async (text) => {
    // @ts-expect-error the page's script has put it there
    const mm: Makemore = new globalThis.Makemore({ backend: "wasm" });
    // Starts the worker.
    await mm.train("a\nb\nab", { steps: 1 });
    Object.assign(globalThis, { mm, text });
  }, text);
  const session = await (await page.context().browser())?.newBrowserCDPSession();
  const processes = (await session?.send("SystemInfo.getProcessInfo"))?.processInfo ?? [];
  const renderers = processes.filter(({ type }) => type === "renderer").map(({ id }) => id);
  const memory = () => renderers.reduce((sum, id) => sum + residentBytes(id), 0);
  const before = memory();
  let peak = 0;
  const looking = setInterval(() => {
    peak = Math.max(peak, memory() - before);
  }, LOOK_MS);
  const seconds = await page.evaluate(async () => {
    const { mm, text } = globalThis as unknown as { mm: Makemore; text: string };
    const start = performance.now();
    let first = 0;
    await mm.train(text, {
      steps: 1,
      keepBest: false,
      onProgress: () => {
        first ||= (performance.now() - start) / 1000;
      },
    });
    mm.dispose();
    return first;
  });
  clearInterval(looking);
  return { seconds, peak };
}

/** Returns the resident memory of a process on Linux, in bytes; assumes pages of 4 KiB. */
function residentBytes(id: number): number {
  try {
    return Number(readFileSync(`/proc/${id}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    // The process has ended.
    return 0;
  }
}

/** Generates words, one per line. */
function words(count: number): string {
  const names = readFileSync(new URL("../demo/words/names.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  const after = new Map<string, string>();
  for (const name of names)
    for (let i = 0; i <= name.length; i++) {
      const before = name.slice(Math.max(0, i - ORDER), i);
      after.set(before, (after.get(before) ?? "") + (name[i] ?? "\n"));
    }
  let text = "";
  for (let word = 0; word < count; word++) {
    let line = "";
    for (let i = 0; !line.endsWith("\n"); i++) {
      const choices = after.get(line.slice(-ORDER)) ?? "\n";
      line += choices[Math.floor(randomUnit(randomBits(42, 0, word, i)) * choices.length)];
    }
    text += line;
  }
  return text;
}

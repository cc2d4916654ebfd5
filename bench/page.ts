/**
 * Measures whether the page stays responsive while the demo trains on its bundled names: the longest task of
 * its thread, and the dropped frames.
 *
 * A task is timed twice. By the clock, as browsers count long tasks; on a busy machine this includes waiting
 * for a core. And by the thread's own processor time, from Chromium's trace, which other load does not change.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright";
import type { Makemore } from "../src";
import { openPage } from "./browser";
import { buildPackage, withBuiltPage } from "./built";
import { type Summary, show, summarise } from "./statistics";

/** Seconds to watch the page: before the click on Train, for comparison, and after it. */
const IDLE_SECONDS = 3;
const SECONDS = 10;
/** Number of timed calls per method. */
const ANSWERS = 30;
/** Number of pages per backend whose first step is timed. */
const STARTS = 5;
/** A frame of a 60 Hz display, ms. */
const FRAME_MS = 1000 / 60;

/** Measurements of the page's thread. */
interface Watched {
  readonly seconds: number;
  /** Durations of tasks over 50 ms by the clock, which browsers call long, ms. */
  readonly longTasks: readonly number[];
  readonly frames: number;
  readonly droppedFrames: number;
  /** Longest time between two frames, by the clock. */
  readonly longestGapMs: number;
}

export interface PageResults {
  readonly page: Watched & {
    /** The training's last step, as the page shows it. */
    readonly steps: string;
    /** Processor time of the thread's longest task. */
    readonly busiestTaskMs: number;
    /** The same page, just before the training. */
    readonly idle: Watched;
    /** Time from a call to its answer while a training runs, ms; by call. */
    readonly answers: Readonly<Record<string, Summary>>;
    /** Time from the call of `train` in a new page to the end of its first step, ms; by backend. */
    readonly starts: Readonly<Record<string, Summary>>;
  };
}

/** Builds the package and the demo, and runs it. */
export async function benchPage(say: (line: string) => void): Promise<PageResults> {
  say("page: building the package and the demo");
  buildPackage();
  const { page, close } = await openPage(fileURLToPath(new URL("../demo", import.meta.url)));
  try {
    await page.locator("#words-count").filter({ hasText: /\d/ }).waitFor();
    say(`page: idle for ${IDLE_SECONDS} s, then training for ${SECONDS} s`);
    const idle = await page.evaluate(watchThread, { seconds: IDLE_SECONDS, frame: FRAME_MS });
    const browser = page.context().browser();
    await browser?.startTracing(page, { categories: ["toplevel"] });
    const training = page.evaluate(watchThread, { seconds: SECONDS, frame: FRAME_MS });
    await page.locator("#train").click();
    const watched = await training;
    const busiestTaskMs = longestTask(String(await browser?.stopTracing()));
    const steps = await stepsShown(page);
    if (!browser) throw new Error("The page has no browser.");
    say("page: calls while it trains");
    const answers = await withBuiltPage(browser, timeAnswers);
    say("page: first steps");
    const starts = await withBuiltPage(browser, timeStarts);
    return { page: { ...watched, steps, busiestTaskMs, idle, answers, starts } };
  } finally {
    await close();
  }
}

/** Times calls during a training of the default model on the wasm engine. */
async function timeAnswers(page: Page): Promise<Record<string, Summary>> {
  const words = await readFile(new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const times = await page.evaluate(
    async ({ words, repeats }) => {
      // @ts-expect-error the page's script has put it there
      const mm: Makemore = new globalThis.Makemore({ backend: "wasm" });
      mm.train(words, { steps: 1_000_000 }).catch(() => {});
      const calls = { "sample(1)": () => mm.sample(1), "score of a word": () => mm.score(["emma"]) };
      // Warm up: the first calls start ONNX Runtime.
      for (const call of Object.values(calls)) await call();
      const times: Record<string, number[]> = {};
      for (const [name, call] of Object.entries(calls)) {
        const all: number[] = [];
        for (let repeat = 0; repeat < repeats; repeat++) {
          const start = performance.now();
          await call();
          all.push(performance.now() - start);
        }
        times[name] = all;
      }
      mm.dispose();
      return times;
    },
    { words, repeats: ANSWERS },
  );
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, summarise(all)]));
}

/** Times what `auto` costs before the first step, alternating with the engine that it chooses here. */
async function timeStarts(page: Page): Promise<Record<string, Summary>> {
  const words = await readFile(new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const times = { auto: [] as number[], wasm: [] as number[] };
  for (let repeat = 0; repeat < STARTS; repeat++)
    for (const backend of ["auto", "wasm"] as const) {
      // Reload, because a page caches its benchmarks.
      await page.reload();
      await page.waitForFunction("globalThis.Makemore");
      const ms = await page.evaluate(
        async ({ words, backend }) => {
          // @ts-expect-error the page's script has put it there
          const mm: Makemore = new globalThis.Makemore({ backend });
          // Wait until the worker has started.
          await mm.sample(1).catch(() => {});
          const start = performance.now();
          await mm.train(words, { steps: 1 });
          return performance.now() - start;
        },
        { words, backend },
      );
      times[backend].push(ms);
    }
  return { auto: summarise(times.auto), wasm: summarise(times.wasm) };
}

async function stepsShown(page: Page): Promise<string> {
  const steps = (await page.locator("#figure-step").textContent()) ?? "";
  if (!/[1-9]/.test(steps)) throw new Error(`The demo did not train: its step is "${steps}".`);
  return steps;
}

/** The fields of Chromium's trace events that are read here; `tdur` is processor time, µs. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Returns the longest task of the pages' main threads, ms of processor time. */
function longestTask(trace: string): number {
  const { traceEvents }: { traceEvents: TraceEvent[] } = JSON.parse(trace);
  const thread = ({ pid, tid }: TraceEvent) => `${pid}:${tid}`;
  const main = new Set(
    traceEvents.filter((e) => e.name === "thread_name" && e.args?.name === "CrRendererMain").map(thread),
  );
  const tasks = traceEvents.filter((e) => e.tdur !== undefined && main.has(thread(e)));
  if (tasks.length === 0) throw new Error("Chromium's trace has no task of the page's thread.");
  return tasks.reduce((longest, { tdur = 0 }) => Math.max(longest, tdur / 1000), 0);
}

/** Runs in the page. */
function watchThread({ seconds, frame }: { seconds: number; frame: number }) {
  return new Promise<Watched>((resolve) => {
    const longTasks: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longTasks.push(duration);
    });
    observer.observe({ type: "longtask" });
    const start = performance.now();
    let last = start;
    let frames = 0;
    let droppedFrames = 0;
    let longestGapMs = 0;
    const onFrame = (now: number) => {
      const gap = now - last;
      last = now;
      frames++;
      longestGapMs = Math.max(longestGapMs, gap);
      droppedFrames += Math.max(0, Math.round(gap / frame) - 1);
      if (now - start < 1000 * seconds) requestAnimationFrame(onFrame);
      else {
        observer.disconnect();
        resolve({ seconds, longTasks, frames, droppedFrames, longestGapMs });
      }
    };
    requestAnimationFrame((now) => {
      last = now;
      requestAnimationFrame(onFrame);
    });
  });
}

/** Formats the results as sentences. */
export function printPage({ page }: PageResults): string {
  const { seconds, steps, longTasks, busiestTaskMs, idle, answers, starts } = page;
  const longest =
    longTasks.length > 0
      ? `${longTasks.length} took over 50 ms by the clock, the longest ${Math.max(...longTasks).toFixed(0)} ms`
      : "none took over 50 ms by the clock";
  return [
    `\nThe demo page while it trains (${seconds} s, ${steps} steps)`,
    `Of the tasks of the page's thread ${longest}; the thread itself worked for ${busiestTaskMs.toFixed(0)} ms at most in one.`,
    `Training, ${frames(page)}. Idle, just before, ${frames(idle)}.`,
    ...Object.entries(answers).map(
      ([call, { median, max }]) =>
        `While a training runs, ${call} is answered in ${show(median)} ms (median of ${ANSWERS}), at most ${show(max)} ms.`,
    ),
    ...Object.entries(starts).map(
      ([backend, { median, max }]) =>
        `From train to the end of its first step, ${backend}: ${show(median)} ms (median of ${STARTS} pages), at most ${show(max)} ms.`,
    ),
  ].join("\n");
}

function frames({ frames, droppedFrames, longestGapMs }: Watched): string {
  return `${droppedFrames} of ${frames + droppedFrames} frames were dropped, and the longest gap between two was ${longestGapMs.toFixed(0)} ms`;
}

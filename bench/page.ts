/**
 * Whether the page stays responsive: the longest task of its thread, and the frames it dropped,
 * while the demo trains on its bundled names.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright";
import { openPage } from "./browser";

/** Watched from the click on Train, seconds. */
const SECONDS = 10;
/** A frame of a 60 Hz display, ms. */
const FRAME_MS = 1000 / 60;

export interface PageResults {
  readonly page: {
    readonly seconds: number;
    /** Steps that the training got through meanwhile, as the page shows them. */
    readonly steps: string;
    /** Tasks over 50 ms, which is what browsers call long; ms each. */
    readonly longTasks: readonly number[];
    readonly frames: number;
    readonly droppedFrames: number;
    /** Between two frames. */
    readonly longestGapMs: number;
  };
}

/** Builds the package and the demo, and runs it. */
export async function benchPage(say: (line: string) => void): Promise<PageResults> {
  say("page: building the package and the demo");
  const root = fileURLToPath(new URL("..", import.meta.url));
  const build = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" });
  if (build.status !== 0) throw new Error(`The package does not build:\n${build.stderr}`);
  const demo = await openPage(fileURLToPath(new URL("../demo", import.meta.url)));
  try {
    say(`page: training for ${SECONDS} s`);
    return { page: await watch(demo.page) };
  } finally {
    await demo.close();
  }
}

async function watch(page: Page): Promise<PageResults["page"]> {
  const train = page.locator("#train");
  await page.locator("#words-count").filter({ hasText: /\d/ }).waitFor();
  const watching = page.evaluate(watchThread, { seconds: SECONDS, frame: FRAME_MS });
  await train.click();
  const results = await watching;
  const steps = (await page.locator("#figure-step").textContent()) ?? "";
  if (!/[1-9]/.test(steps)) throw new Error(`The demo did not train: its step is "${steps}".`);
  return { seconds: SECONDS, steps, ...results };
}

/** Runs in the page. */
function watchThread({ seconds, frame }: { seconds: number; frame: number }) {
  return new Promise<Omit<PageResults["page"], "seconds" | "steps">>((resolve) => {
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
        resolve({ longTasks, frames, droppedFrames, longestGapMs });
      }
    };
    requestAnimationFrame((now) => {
      last = now;
      requestAnimationFrame(onFrame);
    });
  });
}

/** In words. */
export function printPage({ page }: PageResults): string {
  const { seconds, steps, longTasks, frames, droppedFrames, longestGapMs } = page;
  const longest =
    longTasks.length > 0
      ? `the longest task of the page's thread took ${Math.max(...longTasks).toFixed(0)} ms (${longTasks.length} over 50 ms)`
      : "no task of the page's thread took over 50 ms";
  return [
    `\nThe demo page while it trains (${seconds} s, ${steps} steps)`,
    `${longest}; ${droppedFrames} of ${frames + droppedFrames} frames were dropped, the longest gap between two was ${longestGapMs.toFixed(0)} ms.`,
  ].join("\n");
}

/** A training in a hidden tab: the browser slows the page's timers down to one per second, but not the worker. */
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";
import { dist } from "./builtSite";

const html = `<!doctype html><title>test</title><script type="module">
  import { Makemore } from "/dist/index.js";
  const words = "emma olivia ava isabella sophia mia amelia charlotte".split(" ");
  // Count the ticks of a timer, which the browser throttles: 100 per second in a visible tab.
  let ticks = 0;
  setInterval(() => ticks++, 10);
  const mm = new Makemore({ backend: "wasm" });
  globalThis.start = async () => {
    const reports = [];
    globalThis.training = { reports };
    const { losses, seconds } = await mm.train(words, {
      steps: 20_000,
      split: [1, 0, 0],
      model: { embedding: 8, hidden: 48 },
      onProgress: ({ step, stepsPerSecond, secondsLeft }) =>
        reports.push({ step, stepsPerSecond, secondsLeft, ticks, visibility: document.visibilityState }),
    });
    Object.assign(training, { losses: [...losses], seconds });
  };
  globalThis.isReady = true;
</script>`;

declare global {
  var start: () => Promise<void>;
  var training: Training;
}

interface Training {
  readonly reports: Report[];
  /** Losses of each step; absent during the training. */
  readonly losses?: number[];
  readonly seconds?: number;
}

interface Report {
  readonly step: number;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
  /** Ticks of the page's timer so far. */
  readonly ticks: number;
  readonly visibility: DocumentVisibilityState;
}

let browser: Browser;
let server: StaticServer;
let page: Page;
let other: Page;
beforeAll(async () => {
  server = await serve({ "/dist/": dist }, {}, { "/": html });
  browser = await puppeteer.launch({
    executablePath: chromiumPath(),
    args: ["--no-sandbox"],
    // By default, Puppeteer and Playwright tell the browser to treat hidden tabs like visible ones.
    ignoreDefaultArgs: [
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
    ],
  });
  other = await browser.newPage();
  page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction("globalThis.isReady");
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const begin = () => page.evaluate(() => void globalThis.start());

/** Waits until the training is far enough. Polls from Node, because the page's own timers may be slow. */
async function until(isFar: (training: Training) => boolean): Promise<Training> {
  for (;;) {
    const training = await page.evaluate(() => globalThis.training);
    if (isFar(training)) return training;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const hasReports = (count: number) => until(({ reports }) => reports.length >= count);
const end = () => until(({ losses }) => losses !== undefined);

test("a training in a hidden tab runs to its end, reports its progress, and has the same losses", async () => {
  await begin();
  const visible = await end();
  expect(visible.reports.map(({ visibility }) => visibility)).not.toContain("hidden");

  await begin();
  await hasReports(1);
  await other.bringToFront();
  const hidden = await end();
  expect(await page.evaluate(() => document.visibilityState)).toBe("hidden");
  const there = hidden.reports.filter(({ visibility }) => visibility === "hidden");
  const [first, last] = [there[0], there.at(-1)];
  if (!first || !last) return expect.unreachable();
  expect(last.step).toBe(20_000);
  // Most of the training was there, and the browser did throttle the page: fewer ticks of 10 ms than reports, of which
  // there are at most 20 per second.
  expect(first.step).toBeLessThan(10_000);
  expect(last.ticks - first.ticks).toBeLessThan(there.length);
  expect(hidden.losses).toEqual(visible.losses);
  const perSecond = ({ seconds = 0 }: Training) => Math.round(20_000 / seconds);
  console.log(
    `Steps per second: ${perSecond(visible)} in a visible tab, ${perSecond(hidden)} in a hidden one.`,
  );
});

test("progress goes on when the visitor comes back", async () => {
  await page.bringToFront();
  await begin();
  await hasReports(1);
  await other.bringToFront();
  const away = (await hasReports(6)).reports.at(-1) ?? expect.unreachable();
  await page.bringToFront();
  const back = await end();
  expect(back.reports.some(({ visibility }) => visibility === "hidden")).toBe(true);
  expect(back.reports.at(-1)).toMatchObject({ step: 20_000, secondsLeft: 0, visibility: "visible" });
  const steps = back.reports.map(({ step }) => step);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(steps.filter((step) => step > away.step).length).toBeGreaterThan(0);
  for (const { stepsPerSecond, secondsLeft } of back.reports) {
    expect(stepsPerSecond).toBeGreaterThan(0);
    expect(Number.isFinite(secondsLeft) && secondsLeft >= 0).toBe(true);
  }
});

/** Long lists and the page: nothing holds its thread, calls end soon after their signal, short calls pass long ones. */
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import type { Makemore } from "../../src";
import { type StaticServer, serve } from "../server";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** What the page under test has on its global object. */
interface Globals {
  mm: Makemore;
  Makemore: typeof Makemore;
  /** A million words of 3 to 10 letters, one per line. */
  text: string;
  /** Milliseconds that a call goes on after it is aborted; `delay` after its start. */
  endsAfter(call: (signal: AbortSignal) => Promise<unknown>, delay: number): Promise<number>;
  /** The longest task of the page's thread while it waits for something, ms; the shortest of three tries. */
  longTask(work: () => Promise<unknown>): Promise<number>;
}

const html = `<!doctype html><title>responsive</title><script type="module">
  import { Makemore } from "/dist/index.js";
  let state = 1;
  const random = (n) => ((state = Math.imul(state, 48271) >>> 0) >>> 8) % n;
  const word = () => String.fromCharCode(...Array.from({ length: 3 + random(8) }, () => 97 + random(26)));
  const text = Array.from({ length: 1_000_000 }, word).join("\\n");
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const endsAfter = async (call, delay) => {
    const controller = new AbortController();
    const ended = call(controller.signal).then(() => -1, () => performance.now());
    await sleep(delay);
    const aborted = performance.now();
    controller.abort();
    const at = await ended;
    return at < 0 ? Infinity : at - aborted;
  };
  const longest = async (work) => {
    await sleep(100);
    let longest = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    });
    observer.observe({ type: "longtask" });
    await work();
    await sleep(100);
    observer.disconnect();
    return longest;
  };
  // A busy machine lengthens a task now and then; work that is not sliced is long each time.
  const longTask = async (work) => Math.min(await longest(work), await longest(work), await longest(work));
  Object.assign(globalThis, { Makemore, mm: new Makemore({ backend: "wasm" }), text, endsAfter, longTask });
</script>`;

let browser: Browser;
let server: StaticServer;
let page: Page;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  server = await serve({ "/dist/": dist }, {}, { "/": html });
  page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction("globalThis.mm");
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

function inPage<T>(run: (globals: Globals) => Promise<T>): Promise<T> {
  return page.evaluate(`(${run})(globalThis)`) as Promise<T>;
}

/** What a browser calls a long task, ms; on a busy machine its own work may take as long again. */
const LONG = 100;
/** The promise is 1 s after the signal; a busy machine may take as long again. */
const SOON = 2000;

test("a page that trains on a million words, or on one of 8 MB, is never held up", async () => {
  const durations = await inPage(async ({ mm, text, longTask }) => {
    const options = { steps: 3, model: { hidden: 8 }, keepBest: false };
    const list = text.split("\n");
    return [
      await longTask(() => mm.train(text, options)),
      await longTask(() => mm.train(list, options)),
      await longTask(() => mm.train(["ab".repeat(4_000_000), "ba"], options)),
      await longTask(() => mm.train(text.slice(0, 70_000), options)),
      await longTask(() => mm.sample(50_000)),
      await longTask(() => mm.score(list.slice(0, 50_000))),
    ];
  });
  for (const [i, ms] of durations.entries()) expect(ms, `the longest task of call ${i}`).toBeLessThan(LONG);
});

test("every call ends soon after its signal, and short ones pass long ones", async () => {
  const { ends, short } = await inPage(async ({ mm, text, endsAfter }) => {
    const train = (signal: AbortSignal) => mm.train(text, { signal, model: { hidden: 8 } });
    const ends = {
      "train, as words are sent": await endsAfter(train, 20),
      "train, as they are split": await endsAfter(train, 1000),
    };
    await mm.train(text.slice(0, 70_000), { steps: 3, model: { hidden: 8 }, keepBest: false });
    await mm.sample(1);
    await mm.score(["ab"]);
    const long = {
      sample: (signal: AbortSignal) => mm.sample(1_000_000, { signal, minLength: 500, maxLength: 1000 }),
      novel: (signal: AbortSignal) => mm.sample(100_000, { signal, novel: text }),
      score: (signal: AbortSignal) => mm.score(text, { signal }),
      evaluate: (signal: AbortSignal) => mm.evaluate(text, { signal }),
    };
    const short: Record<string, number> = {};
    for (const [name, call] of Object.entries(long)) {
      ends[name as keyof typeof ends] = await endsAfter(async (signal) => {
        const calling = call(signal);
        calling.catch(() => {});
        const started = performance.now();
        await mm.sample(1);
        await mm.score(["ab"]);
        short[name] = performance.now() - started;
        return calling;
      }, 1500);
    }
    return { ends, short };
  });
  for (const [name, ms] of Object.entries(ends)) expect(ms, name).toBeLessThan(SOON);
  for (const [name, ms] of Object.entries(short)) expect(ms, `beside ${name}`).toBeLessThan(SOON);
});

/**
 * `npm run torture:long`: what a page that stays open for days does, in one page in real Chromium. Memory must stay where
 * it is once warm, and speed within 5 % of that of a fresh page, which takes turns with it on the same machine.
 *
 *     npm run torture:long -- [--only steps,trainings,samples,loads] [--scale 1]
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import puppeteer, { type CDPSession, type Page } from "puppeteer-core";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import type { Makemore as MakemoreClass } from "../../src/index";
import { dist } from "../e2e/builtSite";
import { serve } from "../server";

const html = `<!doctype html><title>long</title><script type="module">
  import { Makemore } from "/dist/index.js";
  const words = "emma olivia ava isabella sophia mia amelia charlotte evelyn abigail".split(" ");
  // Returns how long each of some calls took, ms.
  const time = async (calls, call) => {
    const parts = [];
    for (let i = 0; i < calls; i++) {
      const start = performance.now();
      await call(i);
      parts.push(performance.now() - start);
    }
    return parts;
  };
  globalThis.long = { Makemore, words, mm: new Makemore({ backend: "wasm" }), time };
</script>`;

declare global {
  var long: {
    Makemore: typeof MakemoreClass;
    words: string[];
    mm: MakemoreClass;
    time(calls: number, call: (i: number) => Promise<unknown>): Promise<number[]>;
    file?: Uint8Array;
  };
}

/** What is done so often: given how often to do it now, returns the milliseconds of parts of equal work. */
interface Room {
  readonly times: number;
  readonly run: (page: Page, count: number) => Promise<number[]>;
}

const rooms: Readonly<Record<string, Room>> = {
  steps: {
    times: 1_000_000,
    run: (page, steps) =>
      page.evaluate(async (count) => {
        const { mm, words } = globalThis.long;
        const model = { embedding: 2, hidden: 4 };
        const parts: number[] = [];
        let last: { step: number; time: number } | undefined;
        // A part is about a thousandth of the steps.
        const onProgress = ({ step }: { step: number }) => {
          const time = performance.now();
          if (last && step - last.step < count / 1000) return;
          if (last) parts.push(((time - last.time) / (step - last.step)) * 1000);
          last = { step, time };
        };
        await mm.train(words, {
          model,
          steps: count,
          batchSize: 4,
          keepBest: false,
          split: [1, 0, 0],
          onProgress,
        });
        return parts;
      }, steps),
  },
  trainings: {
    times: 1000,
    run: (page, count) =>
      page.evaluate(async (trainings) => {
        const { mm, words, time } = globalThis.long;
        const model = { embedding: 4, hidden: 16 };
        return time(trainings, (seed) => mm.train(words, { model, steps: 50, seed, split: [0.8, 0.2, 0] }));
      }, count),
  },
  samples: {
    times: 10_000,
    run: (page, count) =>
      page.evaluate(async (calls) => {
        const { mm, words, time } = globalThis.long;
        if (!mm.model)
          await mm.train(words, { model: { embedding: 4, hidden: 16 }, steps: 50, split: [1, 0, 0] });
        return time(calls, (seed) => mm.sample(5, { seed }));
      }, count),
  },
  loads: {
    times: 100,
    run: (page, count) =>
      page.evaluate(async (rounds) => {
        const { Makemore, mm, words, time } = globalThis.long;
        if (!mm.model)
          await mm.train(words, { model: { embedding: 4, hidden: 16 }, steps: 50, split: [1, 0, 0] });
        globalThis.long.file ??= await mm.exportONNX();
        const { file } = globalThis.long;
        return time(rounds, async () => {
          const other = new Makemore({ backend: "wasm" });
          await other.load(file);
          await other.sample(5);
          other.dispose();
        });
      }, count),
  },
};

/** Growth that counts as none: what the collector and the browser's caches leave, bytes and as a share. */
const SLACK = { bytes: 1_000_000, share: 0.05 };
/** Lowest speed at the end, as a share of a fresh page's. */
const LEAST_SPEED = 0.95;
/** The warm-up is this part of a room. */
const WARM_UP = 1 / 10;
/** Turns of the two pages that are compared, and the part of a room that each does per turn. */
const TURNS = 20;
const TURN = 1 / 50;

/** The time of the fastest tenth of parts, because other programs on the machine only make parts slower. */
const fastest = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN;

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", default: Object.keys(rooms).join() },
      scale: { type: "string", default: "1" },
    },
  });
  for (const name of values.only.split(",")) {
    const room = rooms[name];
    if (!room) throw new Error(`--only takes ${Object.keys(rooms).join(", ")}, not ${name}.`);
    if (!(await measure(name, room, Number(values.scale)))) process.exitCode = 1;
  }
}

/** Runs a room in a page of its own, prints what it came to, and gives whether all holds. */
async function measure(name: string, { times, run }: Room, scale: number): Promise<boolean> {
  const server = await serve({ "/dist/": dist }, {}, { "/": html });
  // A room may be one call to the page.
  const options = { executablePath: chromiumPath(), args: chromiumArgs, protocolTimeout: 3_600_000 };
  const browser = await puppeteer.launch(options);
  try {
    const open = async () => {
      const page = await browser.newPage();
      await page.goto(server.origin);
      await page.waitForFunction("globalThis.long");
      return page;
    };
    const page = await open();
    const count = Math.round(times * scale);
    const warmUp = Math.ceil(count * WARM_UP);
    await run(page, warmUp);
    const before = await look(page);
    await run(page, count);
    const after = await look(page);
    const speed = await compareSpeed(page, await open(), run, Math.ceil(count * TURN));
    console.log(`${count.toLocaleString("en")} ${name}, after ${warmUp.toLocaleString("en")} to warm up:`);
    let holds = speed >= LEAST_SPEED && after.workers === before.workers;
    for (const what of ["page", "worker"] as const) {
      const flat = after[what] - before[what] <= SLACK.bytes + SLACK.share * before[what];
      holds &&= flat;
      console.log(`  ${what} ${megabytes(before[what])} → ${megabytes(after[what])}${flat ? "" : "  GREW"}`);
    }
    // Of this there is more than we hold: what the browser's own allocators keep.
    console.log(`  process ${megabytes(before.process)} → ${megabytes(after.process)}`);
    console.log(`  workers ${before.workers} → ${after.workers}`);
    console.log(
      `  speed ${(100 * speed).toFixed(1)} % of a fresh page's${speed < LEAST_SPEED ? "  SLOWER" : ""}`,
    );
    return holds;
  } finally {
    await browser.close();
    await server.close();
  }
}

/** The speed of a page as a share of another one's: in turns, because other programs share the machine. */
async function compareSpeed(old: Page, fresh: Page, run: Room["run"], count: number): Promise<number> {
  await run(fresh, count);
  const milliseconds = { old: [] as number[], fresh: [] as number[] };
  for (let i = 0; i < TURNS; i++) {
    // A page in the background would be slowed down.
    await old.bringToFront();
    milliseconds.old.push(...(await run(old, count)));
    await fresh.bringToFront();
    milliseconds.fresh.push(...(await run(fresh, count)));
  }
  return fastest(milliseconds.fresh) / fastest(milliseconds.old);
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;

/** What is held after a garbage collection, bytes: heaps and array buffers by thread, and all that the process has. */
async function look(page: Page): Promise<{ page: number; worker: number; process: number; workers: number }> {
  // Workers that were ended take a moment to be gone.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const workers = page.workers();
  let worker = 0;
  for (const { client } of workers) worker += await heldBytes(client);
  const session = await page.createCDPSession();
  const ofPage = await heldBytes(session);
  await session.detach();
  return { page: ofPage, worker, process: await residentBytes(page), workers: workers.length };
}

async function heldBytes(client: CDPSession): Promise<number> {
  await client.send("HeapProfiler.enable");
  await client.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = await client.send("Runtime.getHeapUsage");
  await client.send("HeapProfiler.disable");
  return usedSize + embedderHeapUsedSize + backingStorageSize;
}

/** Memory of the page's process, with all threads and WebAssembly; NaN where the system does not tell. */
async function residentBytes(page: Page): Promise<number> {
  const session = await page.browser().target().createCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const sizes = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => {
      try {
        const status = readFileSync(`/proc/${id}/status`, "utf8");
        return Number(status.match(/^VmRSS:\s+(\d+)/m)?.[1]) * 1024;
      } catch {
        return Number.NaN;
      }
    });
  return Math.max(...sizes);
}

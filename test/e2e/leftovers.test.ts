/** What stays in the page's memory once a `Makemore` is disposed of: no connection, and no worker. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltSite, openSite } from "./builtSite";

const script = `
  const references = [];
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      references.push(new WeakRef(this));
    }
  };
  globalThis.useOnce = async () => {
    const mm = new Makemore({ backend: "wasm" });
    await mm.train("emma olivia ava".split(" "), { steps: 3, model: { hidden: 4 }, split: [1, 0, 0] });
    mm.dispose();
  };
  globalThis.countWorkers = () => [references.length, references.filter((each) => each.deref()).length];
`;

declare global {
  var useOnce: () => Promise<void>;
  var countWorkers: () => [started: number, inMemory: number];
}

let site: BuiltSite;
beforeAll(async () => {
  site = await openSite(script);
});
afterAll(() => site?.close());

test("a disposed Makemore leaves no worker in memory", async () => {
  const page = await site.open();
  for (let i = 0; i < 5; i++) await page.evaluate(() => globalThis.useOnce());
  const client = await page.context().newCDPSession(page);
  // The browser frees a terminated worker some time later.
  await expect
    .poll(
      async () => {
        await client.send("HeapProfiler.collectGarbage");
        return page.evaluate(() => globalThis.countWorkers());
      },
      { timeout: 20_000, interval: 200 },
    )
    .toEqual([5, 0]);
});

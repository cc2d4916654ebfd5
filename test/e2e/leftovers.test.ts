/** What stays in the page's memory once a `Makemore` is disposed of: no worker, no port, and nothing of its calls. */
import type { CDPSession } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Makemore as MakemoreClass } from "../../src/index";
import { type BuiltSite, openSite } from "./builtSite";

/** `signal` is one that a page keeps for all its calls. */
const script = `
  const { signal } = new AbortController();
  globalThis.useOnce = async () => {
    const mm = new Makemore({ backend: "wasm" });
    const onProgress = () => {};
    const options = { steps: 3, model: { hidden: 4 }, split: [1, 0, 0], onProgress, signal };
    await mm.train("emma olivia ava".split(" "), options);
    await mm.load(await mm.exportONNX({ signal }), { signal });
    await mm.sample(2, { avoid: ["x"], signal });
    return mm;
  };
`;

declare global {
  var useOnce: () => Promise<MakemoreClass>;
}

let site: BuiltSite;
beforeAll(async () => {
  site = await openSite(script);
});
afterAll(() => site?.close());

/** Collects garbage, and counts the objects of a class that are still in the page's memory. */
async function countObjects(client: CDPSession, name: string): Promise<number> {
  const objectGroup = "counted";
  const { result } = await client.send("Runtime.evaluate", { expression: `${name}.prototype`, objectGroup });
  const { objects } = await client.send("Runtime.queryObjects", {
    prototypeObjectId: result.objectId ?? "",
    objectGroup,
  });
  const { result: count } = await client.send("Runtime.callFunctionOn", {
    functionDeclaration: "function () { return this.length; }",
    objectId: objects.objectId ?? "",
  });
  await client.send("Runtime.releaseObjectGroup", { objectGroup });
  return count.value;
}

test("a disposed Makemore leaves no worker, port or signal in memory", async () => {
  const page = await site.open();
  const client = await page.context().newCDPSession(page);
  const count = async () => ({
    workers: await countObjects(client, "Worker"),
    ports: await countObjects(client, "MessagePort"),
    signals: await countObjects(client, "AbortSignal"),
  });
  const makemore = await page.evaluateHandle(() => globalThis.useOnce());
  expect((await count()).workers).toBe(1);
  await makemore.evaluate((mm) => mm.dispose());
  await makemore.dispose();
  for (let i = 0; i < 3; i++) await page.evaluate(async () => (await globalThis.useOnce()).dispose());
  // The browser frees a terminated worker some time later.
  await expect.poll(count, { timeout: 20_000, interval: 200 }).toEqual({ workers: 0, ports: 0, signals: 1 });
});

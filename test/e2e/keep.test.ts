/** Saved models in a real browser's storage, across reloads. */
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Makemore } from "../../src";
import { type BuiltSite, isReady, openSite, runInPage } from "./builtSite";

const script = `
  const words = Array.from({ length: 400 }, (_, i) => "w" + i.toString(26).replace(/[0-9]/g, "x") + "o");
  Object.assign(globalThis, { Makemore, words });
`;

interface Globals {
  Makemore: typeof Makemore;
  words: string[];
}

let site: BuiltSite;
let page: Page;

beforeAll(async () => {
  site = await openSite(script);
  page = await site.open();
});
afterAll(() => site?.close());

const inPage = <T>(run: (globals: Globals) => Promise<T>) => runInPage(page, run);

async function workersEnd(): Promise<void> {
  await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(0);
}

test("a training with saveAs survives a reload, and goes on with its words", async () => {
  // This training never ends, because the page is reloaded meanwhile.
  const saved = await inPage(async ({ Makemore, words }) => {
    const options = { steps: 10_000_000, model: { hidden: 16 }, keepBest: false, saveAs: "towns" };
    void new Makemore({ backend: "wasm" }).train(words, options);
    for (;;) {
      const found = await Makemore.saved();
      if (found.length > 0) return found;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
  expect(saved).toMatchObject([{ name: "towns", words: 400, steps: 10_000_000 }]);
  await page.reload();
  await isReady(page);
  const got = await inPage(async ({ Makemore, words }) => {
    const mm = await Makemore.open("towns", { backend: "wasm" });
    const step = mm.model?.step ?? 0;
    const novel = await mm.sample(20, { novel: true });
    const { step: resumed } = await mm.resume({ steps: step + 5 });
    await mm.save("towns");
    const [info] = await Makemore.saved();
    mm.dispose();
    return { step, resumed, listed: novel.filter((word) => words.includes(word)), savedStep: info?.step };
  });
  expect(got.step).toBeGreaterThan(0);
  expect(got).toMatchObject({ resumed: got.step + 5, listed: [], savedStep: got.step + 5 });
  await workersEnd();
});

test("saved, remove and a refused open end their workers and close the database", async () => {
  const got = await inPage(async ({ Makemore }) => {
    const removed = [await Makemore.remove("towns"), await Makemore.remove("towns")];
    const code = await Makemore.open("towns").catch((error) => error.code);
    // A deletion is blocked as long as any connection is open.
    const deleted = await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase("makemore-web");
      request.onsuccess = () => resolve(true);
      request.onblocked = request.onerror = reject;
    });
    return { removed, code, deleted, saved: await Makemore.saved() };
  });
  expect(got).toEqual({ removed: [true, false], code: "NOT_SAVED", deleted: true, saved: [] });
  await workersEnd();
});

test("on a full disk save fails, a training goes on, and earlier saved models stay", async () => {
  // Separate storage, because Chromium caches for a while how much room there was.
  const context = await site.browser.newContext();
  onTestFinished(() => context.close());
  const full = await site.open(context);
  // More room than the small model needs, and less than the large one needs.
  const client = await context.newCDPSession(full);
  await client.send("Storage.overrideQuotaForOrigin", { origin: site.server.origin, quotaSize: 1_000_000 });
  const run = async ({ Makemore, words }: Globals) => {
    const mm = new Makemore({ backend: "wasm" });
    const small = await mm.train(words, { steps: 5, model: { hidden: 16 }, saveAs: "towns" });
    const large = await mm.train(words, { steps: 5, model: { hidden: 512 }, saveAs: "towns" });
    const error = await mm.save("others").catch((reason) => reason);
    const saved = await Makemore.saved();
    const reopened = await Makemore.open("towns");
    return {
      step: large.step,
      notices: [small.notices, large.notices],
      sampled: (await mm.sample(2)).length,
      error: error && { code: error.code, message: error.message },
      saved: saved.map(({ name, parameters }) => ({ name, parameters })),
      parameters: [small.model.parameters, reopened.model?.parameters],
    };
  };
  const got = await runInPage(full, run);
  const [parameters] = got.parameters;
  const isFull = /^The model of step 5 was not saved: saveAs: there is no room left/;
  expect(got).toMatchObject({
    step: 5,
    notices: [
      expect.not.arrayContaining([expect.stringMatching(isFull)]),
      expect.arrayContaining([expect.stringMatching(isFull)]),
    ],
    sampled: 2,
    error: {
      code: "STORAGE_FAILED",
      message: expect.stringMatching(/^save: there is no room left.*remove a saved model/),
    },
    saved: [{ name: "towns", parameters }],
    parameters: [parameters, parameters],
  });
});

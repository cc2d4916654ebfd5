/**
 * WebKit, the engine of Safari and of iPhones, tested as WebKitGTK over WebDriver on a virtual display. It has no
 * WebGPU, and runs the baseline build of the kernels.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { By } from "selenium-webdriver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findWebKit } from "../../scripts/browsers.mjs";
import { documentedCommand, expectOutcome, host, install, poll } from "./consumer";
import { openWebKit, type WebKit } from "./webkitBrowser";

const found = findWebKit();
let webkit: WebKit;

beforeAll(async () => {
  if (!found) return;
  webkit = await openWebKit(found);
  await webkit.browser.manage().setTimeouts({ script: 120_000, pageLoad: 120_000 });
});
afterAll(() => webkit?.close());

// Skipped if `npm test` cannot install it, for example outside Debian. Safari itself has no headless mode.
const testInWebKit = test.skipIf(!found);

testInWebKit("WebKit, without a bundler", async () => {
  const { browser } = webkit;
  const app = await install("no-bundler");
  await app.run(await documentedCommand("No bundler"));
  const { origin } = await host({ "/": join(app.folder, "src") });
  await browser.get(origin);
  expectOutcome(await poll(() => browser.executeScript("return globalThis.outcome")));

  // A training that is stopped and resumed gives the same losses as an unbroken one.
  const result = await browser.executeAsyncScript<{ whole: number[]; parts: number[] }>(`
    const done = arguments[0];
    (async () => {
      const { Makemore } = await import(new URL("makemore-web/index.js", location.href));
      const { default: words } = await import(new URL("words.js", location.href));
      const options = { model: { embedding: 10, hidden: 32 }, steps: 400, seed: 3 };
      const one = new Makemore({ backend: "wasm" });
      const whole = (await one.train(words, options)).losses;
      one.dispose();
      const two = new Makemore({ backend: "wasm" });
      const stop = new AbortController();
      const stopped = two.train(words, { ...options, signal: stop.signal, onProgress: ({ step }) => step > 0 && stop.abort() });
      await stopped.catch((error) => { if (error.name !== "AbortError") throw error; });
      const { step } = two.model;
      const rest = (await two.resume()).losses;
      two.dispose();
      return { whole: [...whole.slice(step)], parts: [...rest] };
    })().then(done, (error) => done({ error: String(error) }));
  `);
  expect(result).toEqual({ parts: expect.any(Array), whole: result.parts });
  expect(result.parts.length).toBeGreaterThan(0);
});

testInWebKit("the demo page in WebKit", async () => {
  const { browser } = webkit;
  const text = async (selector: string) => (await browser.findElement(By.css(selector)).getText()) ?? "";
  const { origin } = await host({ "/": fileURLToPath(new URL("../../demo/dist", import.meta.url)) });
  await browser.get(origin);
  await poll(async () => /30,294 words/.test(await text("#words-count")) || undefined);
  await browser.executeScript(`
    document.querySelector("#train-form details").open = true;
    document.querySelector("[value=small]").click();
    document.querySelector("[name=steps]").value = "300";
    document.querySelector("#train").click();
  `);
  await poll(async () => /Loss over all words/.test(await text("#train-note")) || undefined);
  await poll(async () => /^24 words/.test(await text("#sample-status")) || undefined);
});

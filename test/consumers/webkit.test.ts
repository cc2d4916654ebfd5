/**
 * WebKit, the engine of every browser on iPhones, as WebKitGTK: driven over WebDriver on a virtual display.
 * It has no WebGPU, and runs the baseline build of the kernels.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Builder, By, Capabilities, type WebDriver } from "selenium-webdriver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findWebKit } from "../../scripts/browsers.mjs";
import { documentedCommand, expectOutcome, freePort, host, install, poll } from "./consumer";

const webkit = findWebKit();
const running: ChildProcess[] = [];
let browser: WebDriver;

// Where `npm test` may not install it, as outside Debian: Safari itself has no headless mode.
const testInWebKit = test.skipIf(!webkit);

beforeAll(async () => {
  if (!webkit) return;
  const env = {
    ...process.env,
    // Its Intl refuses the C locale.
    LANG: "en_US.UTF-8",
    DISPLAY: `:${await startDisplay(webkit.xvfb)}`,
  };
  const port = await freePort();
  running.push(spawn(webkit.driver, [`--port=${port}`], { env, stdio: "ignore" }));
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary: webkit.browser, args: ["--automation"] },
  });
  const address = `http://127.0.0.1:${port}`;
  // The driver listens a moment after it was started.
  await poll(() =>
    fetch(`${address}/status`).then(
      (answer) => answer.ok || undefined,
      () => undefined,
    ),
  );
  browser = await new Builder().usingServer(address).withCapabilities(capabilities).build();
  await browser.manage().setTimeouts({ script: 120_000 });
});
afterAll(async () => {
  await browser?.quit();
  for (const process of running) process.kill();
});

/** Starts a display on the first free number, which it tells. */
async function startDisplay(xvfb: string): Promise<number> {
  const display = spawn(xvfb, ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  running.push(display);
  for await (const told of display.stdout) return Number(String(told));
  throw new Error("Xvfb ended before it had a display.");
}

testInWebKit("WebKit, without a bundler", async () => {
  const app = await install("no-bundler");
  await app.run(await documentedCommand("No bundler"));
  const { origin } = await host({ "/": join(app.folder, "src") });
  await browser.get(origin);
  expectOutcome(await poll(() => browser.executeScript("return globalThis.outcome")));

  // What is stopped goes on where it was: the same numbers as in one go.
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

const text = async (selector: string) => (await browser.findElement(By.css(selector)).getText()) ?? "";

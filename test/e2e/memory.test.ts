/** Memory of the worker with a long list, as the browser measures it. */
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Trains on a million words of 3 to 10 letters, then asks the browser what the worker holds. */
const html = `<!doctype html><title>memory</title><script type="module">
  import { Makemore } from "/dist/index.js";
  const mm = new Makemore({ backend: "wasm" });
  let state = 1;
  const random = (n) => (state = Math.imul(state, 48271) >>> 0) % n;
  const word = () => String.fromCharCode(...Array.from({ length: 3 + random(8) }, () => 97 + random(26)));
  const words = Array.from({ length: 1_000_000 }, word).join("\\n");
  const { words: stats } = await mm.train(words, { steps: 5, model: { hidden: 16 } });
  const { breakdown } = await performance.measureUserAgentSpecificMemory();
  const ofWorker = breakdown.filter((entry) => entry.attribution.some((a) => a.scope === "DedicatedWorkerGlobalScope"));
  globalThis.result = { stats, bytes: ofWorker.reduce((sum, entry) => sum + entry.bytes, 0) };
</script>`;

let browser: Browser;
let server: StaticServer;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  // The browser measures memory only for cross-origin isolated pages.
  const isolated = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  server = await serve({ "/dist/": dist }, isolated, { "/": html });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

test("a million words take less than 100 MB in the worker", async () => {
  const page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction("globalThis.result", undefined, { timeout: 150_000 });
  const { stats, bytes } = (await page.evaluate("result")) as { stats: { count: number }; bytes: number };
  expect(stats.count).toBe(1_000_000);
  // It must have measured something: the streams alone are 7.5 MB.
  expect(bytes).toBeGreaterThan(7_500_000);
  expect(bytes).toBeLessThan(100_000_000);
  console.log(`A million words: ${(bytes / 1e6).toFixed(1)} MB in the worker.`);
});

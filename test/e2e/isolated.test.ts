/** A cross-origin isolated page on a machine with several cores, where ONNX Runtime would use threads by default. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";
import { dist, isolation } from "./builtSite";

const html = `<!doctype html><title>test</title><script type="module">
  import { Makemore } from "/dist/index.js";
  const mm = new Makemore({ backend: "wasm" });
  await mm.train("emma olivia ava mia isabella".split(" "), { steps: 20, model: { hidden: 8 }, split: [0.6, 0.2, 0.2] });
  const result = {
    isolated: crossOriginIsolated,
    samples: await mm.sample(3),
    scores: await mm.score(["emma"]),
    losses: await mm.evaluate(),
  };
  const { breakdown } = await performance.measureUserAgentSpecificMemory();
  const ofWorker = breakdown.filter((entry) => entry.attribution.some((a) => a.scope === "DedicatedWorkerGlobalScope"));
  globalThis.result = { ...result, bytes: ofWorker.reduce((sum, entry) => sum + entry.bytes, 0) };
</script>`;

const folder = mkdtempSync(join(tmpdir(), "makemore-"));
let browser: Browser;
let server: StaticServer;
beforeAll(async () => {
  // The worker sees four cores, whatever this machine has.
  const cores = "Object.defineProperty(WorkerNavigator.prototype, 'hardwareConcurrency', { value: 4 });";
  const worker = join(folder, "worker.js");
  writeFileSync(worker, cores + readFileSync(`${dist}makemore-web/worker.js`, "utf8"));
  browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  server = await serve({ "/dist/": dist, "/dist/makemore-web/worker.js": worker }, isolation, { "/": html });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true });
});

test("an isolated page samples, scores and evaluates in one thread", async () => {
  const page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction("globalThis.result", undefined, { timeout: 120_000 });
  const result = await page.evaluate<{ bytes: number }>("globalThis.result");
  expect(result).toMatchObject({
    isolated: true,
    samples: [expect.any(String), expect.any(String), expect.any(String)],
    scores: [{ word: "emma" }],
    losses: { train: expect.any(Number) },
  });
  // About 24 MB, mostly ONNX Runtime's memory. Its binary of 14 MB is freed once it is compiled.
  expect(result.bytes).toBeLessThan(32e6);
  expect(page.workers()).toHaveLength(1);
  expect(server.requests.filter((path) => path.endsWith("worker.js"))).toHaveLength(1);
});

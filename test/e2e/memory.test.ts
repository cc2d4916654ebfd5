/** The worker's memory with a long list, measured by the browser. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltSite, isolation, openSite, runInPage } from "./builtSite";

/** Trains on a million words of 3 to 10 letters, then asks the browser for the worker's memory. */
const script = `
  const mm = new Makemore({ backend: "wasm" });
  let state = 1;
  const random = (n) => (state = Math.imul(state, 48271) >>> 0) % n;
  const word = () => String.fromCharCode(...Array.from({ length: 3 + random(8) }, () => 97 + random(26)));
  const words = Array.from({ length: 1_000_000 }, word).join("\\n");
  const { words: stats } = await mm.train(words, { steps: 5, model: { hidden: 16 } });
  const { breakdown } = await performance.measureUserAgentSpecificMemory();
  const ofWorker = breakdown.filter((entry) => entry.attribution.some((a) => a.scope === "DedicatedWorkerGlobalScope"));
  globalThis.result = { stats, bytes: ofWorker.reduce((sum, entry) => sum + entry.bytes, 0) };
`;

let site: BuiltSite;
beforeAll(async () => {
  site = await openSite(script, isolation);
});
afterAll(() => site?.close());

test("a million words take less than 100 MB in the worker", async () => {
  const { stats, bytes } = await runInPage(
    await site.open(),
    async ({ result }: { result: { stats: { count: number }; bytes: number } }) => result,
  );
  expect(stats.count).toBe(1_000_000);
  // The measurement must include the words: their streams alone are 7.5 MB.
  expect(bytes).toBeGreaterThan(7_500_000);
  expect(bytes).toBeLessThan(100_000_000);
  console.log(`A million words: ${(bytes / 1e6).toFixed(1)} MB in the worker.`);
});

/**
 * What a visitor downloads, from the server's own list of requests: enforces the budgets, and that
 * the README says what is so.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";
import type { Backend } from "../../src";
import { host, markdownTable, openPage, words } from "./consumer";

interface Size {
  files: string[];
  /** Gzipped, kB (1,000 bytes). */
  kB: number;
}

/** What was fetched from the page's opening to the first progress, and from there to the first sample. */
async function measure(backend: Backend): Promise<{ progress: Size; sample: Size }> {
  const packed = inject("packed");
  const site = await host({ "/": packed }, { "cache-control": "max-age=3600" }, { "/": "<!doctype html>" });
  const page = await openPage({ gpu: backend === "webgpu" });
  await page.goto(site.origin);
  site.requests.length = 0;
  const run = (code: string) => page.evaluate(`(async () => { ${code} })()`);
  const since = (): Size => {
    // Chromium asks for an icon when it likes.
    const files = site.requests.splice(0).filter((file) => file !== "/favicon.ico");
    const bytes = files.map((file) => gzipSync(readFileSync(join(packed, file)), { level: 9 }).length);
    return { files, kB: bytes.reduce((a, b) => a + b, 0) / 1000 };
  };
  const trained = await run(`
    const { Makemore } = await import("/dist/index.js");
    globalThis.maker = new Makemore({ backend: ${JSON.stringify(backend)} });
    const result = await maker.train(${JSON.stringify(words)}, { steps: 2, model: { hidden: 16 } });
    return result.backend;`);
  expect(trained).toBe(backend);
  const progress = since();
  await run("await maker.sample(1)");
  return { progress, sample: since() };
}

const file = (name: string) => `/dist/makemore-web/${name}`;
const ort = [file("ort.js"), file("ort.wasm")];

test.each<[Backend, string[]]>([
  ["wasm", ["/dist/index.js", file("worker.js")]],
  ["webgpu", ["/dist/index.js", file("worker.js"), file("tfjs.js")]],
  ["tfjs", ["/dist/index.js", file("worker.js"), file("tfjs.js"), file("tfjs.wasm")]],
])("size: what %s fetches before the first progress and before the first sample", async (backend, files) => {
  const { progress, sample } = await measure(backend);
  expect(progress.files).toEqual(files);
  expect(sample.files.sort()).toEqual(ort);
  // The promise for the engine that most visitors get: ONNX Runtime untouched.
  if (backend === "wasm") expect(progress.kB).toBeLessThan(100);

  const total = progress.kB + sample.kB;
  const documented = await markdownTable("README.md", backend);
  const measured = `${backend}: ${progress.kB.toFixed(0)} kB, ${total.toFixed(0)} kB`;
  expect(documented, measured).toHaveLength(2);
  // A tenth: the table is there to be believed, not to be changed with every commit.
  for (const [i, kB] of [progress.kB, total].entries()) {
    expect(documented[i], measured).toBeGreaterThan(kB * 0.9);
    expect(documented[i], measured).toBeLessThan(kB * 1.1);
  }
});

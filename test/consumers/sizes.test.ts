/**
 * What a visitor downloads, measured by the server's requests. Checks the limits, the README's table, and that nothing
 * comes from a third party.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";
import type { MakemoreOptions } from "../../src";
import { host, markdownTable, openPage, words } from "./consumer";

const file = (name: string) => `/dist/makemore-web/${name}`;
const ort = [file("ort.js"), file("ort.wasm")];
const first = ["/dist/index.js", file("worker.js")];

interface Size {
  files: string[];
  /** Gzipped, kB (1,000 bytes). */
  kB: number;
}

interface Visit {
  /** The first column of the README's table. */
  row: string;
  backend: NonNullable<MakemoreOptions["backend"]>;
  /** The browser's adapter: SwiftShader, or SwiftShader under a name that `auto` accepts as a GPU. */
  gpu?: "software" | "disguised";
  /** What is fetched before the first progress. */
  files: string[];
}

/** Runs before the worker's script. `auto` recognises software adapters by these properties. */
const disguise = `
  for (const name of ["vendor", "architecture", "device", "description", "isFallbackAdapter"])
    Object.defineProperty(GPUAdapterInfo.prototype, name, { value: "" });
`;

/** Measures the fetched files before the first progress, and between the first progress and the first sample. */
async function measure({ backend, gpu }: Visit): Promise<{ progress: Size; sample: Size }> {
  const packed = inject("packed");
  const folders: Record<string, string> = { "/": packed };
  if (gpu === "disguised") {
    const worker = join(await mkdtemp(join(inject("folder"), "worker-")), "worker.js");
    await writeFile(worker, disguise + readFileSync(join(packed, file("worker.js")), "utf8"));
    folders[file("worker.js")] = worker;
  }
  const site = await host(folders, { "cache-control": "max-age=3600" }, { "/": "<!doctype html>" });
  const page = await openPage({ gpu: gpu !== undefined });
  const urls: string[] = [];
  page.context().on("request", (request) => urls.push(request.url()));
  await page.goto(site.origin);
  site.requests.length = 0;
  const run = (code: string) => page.evaluate(`(async () => { ${code} })()`);
  const since = (): Size => {
    // Chromium requests an icon at any time.
    const files = site.requests.splice(0).filter((file) => file !== "/favicon.ico");
    const bytes = files.map((file) => gzipSync(readFileSync(join(packed, file)), { level: 9 }).length);
    return { files, kB: bytes.reduce((a, b) => a + b, 0) / 1000 };
  };
  const trained = await run(`
    const { Makemore } = await import("/dist/index.js");
    globalThis.maker = new Makemore({ backend: ${JSON.stringify(backend)} });
    const result = await maker.train(${JSON.stringify(words)}, { steps: 2, evalEvery: 1, sampleEvery: 1, model: { hidden: 16 } });
    return result.backend;`);
  // With a GPU, either engine may be faster.
  if (gpu !== "disguised") expect(trained).toBe(backend === "auto" ? "wasm" : backend);
  const progress = since();
  await run("await maker.sample(1)");
  const sample = since();
  expect(urls.filter((url) => !url.startsWith(`${site.origin}/`))).toEqual([]);
  // The page's log must contain the worker's requests too, or this test would prove nothing.
  for (const fetched of [...progress.files, ...sample.files]) expect(urls).toContain(site.origin + fetched);
  return { progress, sample };
}

test("size: with prefetch the training fetches ONNX Runtime, and the first sample fetches nothing", async () => {
  const site = await host({ "/": inject("packed") }, {}, { "/": "<!doctype html>" });
  const page = await openPage();
  await page.goto(site.origin);
  const run = (code: string) => page.evaluate(`(async () => { ${code} })()`);
  const fetched = () => site.requests.filter((name) => name.startsWith(file("ort"))).sort();
  await run(`
    const { Makemore } = await import("/dist/index.js");
    globalThis.maker = new Makemore({ backend: "wasm" });
    await maker.train(${JSON.stringify(words)}, { steps: 2, prefetch: true, model: { hidden: 16 } });`);
  await expect.poll(fetched, { timeout: 20_000 }).toEqual(ort);
  expect(await run("return (await maker.sample(10)).length")).toBe(10);
  expect(fetched()).toEqual(ort);
});

test.each<Visit>([
  { row: "`auto` without a GPU", backend: "auto", files: first },
  { row: "`auto` without a GPU", backend: "auto", gpu: "software", files: first },
  { row: "`wasm`", backend: "wasm", files: first },
  { row: "`auto` with a GPU", backend: "auto", gpu: "disguised", files: [...first, file("webgpu.js")] },
  { row: "`webgpu`", backend: "webgpu", gpu: "software", files: [...first, file("webgpu.js")] },
  { row: "`tfjs`", backend: "tfjs", files: [...first, file("tfjs.js"), file("tfjs.wasm")] },
])(
  "size: what $backend fetches before the first progress and before the first sample, GPU: $gpu",
  async (visit) => {
    const { progress, sample } = await measure(visit);
    expect(progress.files).toEqual(visit.files);
    expect(sample.files.sort()).toEqual(ort);
    // The limit for the engine that most visitors get, without ONNX Runtime.
    if (visit.files === first) expect(progress.kB).toBeLessThan(100);

    const total = progress.kB + sample.kB;
    const documented = await markdownTable("README.md", visit.row);
    const measured = `${visit.row}: ${progress.kB.toFixed(0)} kB, ${total.toFixed(0)} kB`;
    expect(documented, measured).toHaveLength(2);
    // Allow 10 %, so that the table need not change at every commit.
    for (const [i, kB] of [progress.kB, total].entries()) {
      expect(documented[i], measured).toBeGreaterThan(kB * 0.9);
      expect(documented[i], measured).toBeLessThan(kB * 1.1);
    }
  },
);

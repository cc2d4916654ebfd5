/** If a file fails to load for any reason, the call rejects with a MakemoreError that names its URL and the fix. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { host, openPage } from "./consumer";

const inDist = (file: string) => `/dist/makemore-web/${file}`;

/** What is wrong with a site. */
interface Fault {
  /** A file that the server answers with status 404. */
  missing?: string;
  /** A file that the server answers with an HTML page and status 200, as many hosts do for a missing file. */
  html?: string;
  /** The Content-Security-Policy of every response. */
  csp?: string;
  /** A global variable to delete in the worker before its script runs. */
  without?: string;
  /** Options of the `Makemore`. */
  options?: { backend?: "wasm" | "tfjs"; assetsURL?: string };
  /** The option `diagnostics` of the training. */
  diagnostics?: boolean;
}

/** Opens a page of such a site, which trains and samples, and returns the error. */
async function failure({
  missing,
  html,
  csp,
  without,
  options = {},
  diagnostics = false,
}: Fault): Promise<string> {
  const dist = join(inject("packed"), "dist");
  const worker = join(await mkdtemp(join(inject("folder"), "worker-")), "worker.js");
  const script = await readFile(`${dist}/makemore-web/worker.js`, "utf8");
  await writeFile(worker, without === undefined ? script : `delete globalThis.${without};${script}`);
  const site = await host(
    {
      "/dist/": dist,
      [inDist("worker.js")]: worker,
      ...(missing === undefined ? {} : { [missing]: join(dist, "nothing") }),
    },
    csp === undefined ? {} : { "content-security-policy": csp },
    { "/": "<!doctype html>", ...(html === undefined ? {} : { [html]: "<!doctype html>" }) },
  );
  const page = await openPage();
  await page.goto(site.origin);
  const message = await page.evaluate<string>(`(async () => {
    const { Makemore } = await import("/dist/index.js");
    const maker = new Makemore(${JSON.stringify({ backend: "wasm", ...options })});
    try {
      await maker.train(["emma", "olivia", "ava", "mia"], { steps: 2, model: { hidden: 4 }, diagnostics: ${diagnostics} });
      await maker.sample(1);
      return "it did not fail";
    } catch (error) {
      return error.name + " " + error.code + ": " + error.message;
    } finally {
      maker.dispose();
    }
  })()`);
  return message.replaceAll(site.origin, "");
}

/** @param message pattern for the reason and the fix */
function expectFailure(got: string, code: "LOAD_FAILED" | "UNSUPPORTED", url: string, message: RegExp): void {
  expect(got).toMatch(new RegExp(`^MakemoreError ${code}: `));
  expect(got).toContain(url);
  expect(got).toMatch(message);
}

test.each([
  ["worker.js", /404.*assetsURL/, /text\/html.*assetsURL/],
  // Browsers do not say why an import failed.
  ["ort.js", /assetsURL/, /assetsURL/],
  ["ort.wasm", /404.*assetsURL/, /text\/html.*assetsURL/],
  ["tfjs.js", /assetsURL/, /assetsURL/],
  ["tfjs.wasm", /404.*assetsURL/, /text\/html.*assetsURL/],
  ["diagnostics.js", /assetsURL/, /assetsURL/],
])("load failure: %s is missing, or served as HTML", async (file, whenMissing, whenHTML) => {
  const url = inDist(file);
  const options = file.startsWith("tfjs") ? { backend: "tfjs" as const } : {};
  const diagnostics = file.startsWith("diagnostics");
  expectFailure(await failure({ missing: url, options, diagnostics }), "LOAD_FAILED", url, whenMissing);
  expectFailure(await failure({ html: url, options, diagnostics }), "LOAD_FAILED", url, whenHTML);
});

test("load failure: without webgpu.js, backend webgpu trains on wasm, and the notice names the file", async () => {
  const missing = inDist("webgpu.js");
  const site = await host(
    { "/dist/": join(inject("packed"), "dist"), [missing]: join(inject("packed"), "nothing") },
    {},
    { "/": "<!doctype html>" },
  );
  const page = await openPage();
  await page.goto(site.origin);
  const { backend, notices } = await page.evaluate<{ backend: string; notices: string[] }>(`(async () => {
    const { Makemore } = await import("/dist/index.js");
    const maker = new Makemore({ backend: "webgpu" });
    const { backend, notices } = await maker.train(["emma", "olivia", "ava", "mia"], { steps: 2, model: { hidden: 4 } });
    return { backend, notices };
  })()`);
  expect(backend).toBe("wasm");
  expect(notices).toContainEqual(expect.stringMatching(/webgpu\.js did not load.*assetsURL/));
});

test.each<[string, Fault, Parameters<typeof expectFailure>[1], string, RegExp]>([
  [
    "a folder that is not there",
    { options: { assetsURL: "/elsewhere" } },
    "LOAD_FAILED",
    "/elsewhere/worker.js",
    /404.*assetsURL/,
  ],
  [
    "a worker that the CSP refuses",
    { csp: "worker-src 'none'" },
    "LOAD_FAILED",
    inDist("worker.js"),
    /Content-Security-Policy.*worker-src/,
  ],
  [
    "a .wasm that the CSP refuses to fetch",
    { csp: "script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'" },
    "LOAD_FAILED",
    inDist("ort.wasm"),
    /Content-Security-Policy.*connect-src/,
  ],
  [
    "WebAssembly that the CSP refuses",
    { csp: "script-src 'self'" },
    "UNSUPPORTED",
    inDist("ort.wasm"),
    /'wasm-unsafe-eval' in the script-src of a Content-Security-Policy/,
  ],
  [
    "a browser without WebAssembly",
    { without: "WebAssembly" },
    "UNSUPPORTED",
    inDist("ort.wasm"),
    /no WebAssembly.*a browser that has/,
  ],
])("load failure: %s", async (_, fault, code, url, message) => {
  expectFailure(await failure(fault), code, url, message);
});

test("load failure: a .wasm file with a wrong Content-Type loads, because only its bytes matter", async () => {
  const site = await host({ "/dist/": join(inject("packed"), "dist") }, {}, { "/": "<!doctype html>" });
  const page = await openPage();
  await page.context().route("**/*.wasm", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-type": "text/plain" } });
  });
  await page.goto(site.origin);
  const samples = await page.evaluate<string[]>(`(async () => {
    const { Makemore } = await import("/dist/index.js");
    const maker = new Makemore({ backend: "tfjs" });
    await maker.train(["emma", "olivia", "ava", "mia"], { steps: 2, model: { hidden: 4 } });
    return maker.sample(2);
  })()`);
  expect(samples).toHaveLength(2);
});

/**
 * URLs of the package's other files. Each file is self-contained, and named here as a literal
 * `new URL(…, import.meta.url)`, for which every bundler copies the file unchanged. The page passes the
 * URLs to the worker, so that no bundler has to process the worker.
 */
import { MakemoreError } from "./errors";
import { formatValue } from "./formatValue";
import type { MakemoreOptions } from "./types";

/** URL of each shipped file. */
export interface AssetURLs {
  /** The worker script. */
  readonly worker: string;
  /** The WebGPU engine. */
  readonly webgpu: string;
  /** TensorFlow.js and the engine that needs it, and its WebAssembly. */
  readonly tfjs: string;
  readonly tfjsWasm: string;
  /** What the option `diagnostics` needs. */
  readonly diagnostics: string;
  /** ONNX Runtime, and its WebAssembly. */
  readonly ort: string;
  readonly ortWasm: string;
}

/** URLs of the files next to the main file. */
function besideMain(): Record<keyof AssetURLs, URL> {
  try {
    return {
      worker: new URL("./makemore-web/worker.js", import.meta.url),
      webgpu: new URL("./makemore-web/webgpu.js", import.meta.url),
      tfjs: new URL("./makemore-web/tfjs.js", import.meta.url),
      tfjsWasm: new URL("./makemore-web/tfjs.wasm", import.meta.url),
      diagnostics: new URL("./makemore-web/diagnostics.js", import.meta.url),
      ort: new URL("./makemore-web/ort.js", import.meta.url),
      ortWasm: new URL("./makemore-web/ort.wasm", import.meta.url),
    };
  } catch {
    throw new MakemoreError(
      "LOAD_FAILED",
      "The package cannot tell where its files are, because this script has no import.meta.url: bundle it as an ES module (esbuild: --format=esm), or set assetsURL to their folder.",
    );
  }
}

/** The error of a call on a server, in a worker, or in a page without workers, such as jsdom's. */
export function noPage(): MakemoreError {
  return new MakemoreError(
    "UNSUPPORTED",
    "Makemore runs in a page of a browser; on a server, in a worker and in jsdom, only import it.",
  );
}

/**
 * Resolves the URLs from the options and the page's base URL.
 *
 * @throws MakemoreError `LOAD_FAILED` in a classic script without `assetsURL`, `INVALID_OPTION` for an
 *   invalid URL, `UNSUPPORTED` outside of a page
 */
export function locateAssets({ workerURL, assetsURL }: MakemoreOptions): AssetURLs {
  if (typeof document === "undefined" || typeof Worker === "undefined") throw noPage();
  const files =
    assetsURL === undefined
      ? besideMain()
      : {
          worker: "worker.js",
          webgpu: "webgpu.js",
          tfjs: "tfjs.js",
          tfjsWasm: "tfjs.wasm",
          diagnostics: "diagnostics.js",
          ort: "ort.js",
          ortWasm: "ort.wasm",
        };
  const folder = assetsURL === undefined ? document.baseURI : resolve("assetsURL", assetsURL, "./");
  const at = (file: string | URL) => new URL(file, folder).href;
  return {
    worker: workerURL === undefined ? at(files.worker) : resolve("workerURL", workerURL).href,
    webgpu: at(files.webgpu),
    tfjs: at(files.tfjs),
    tfjsWasm: at(files.tfjsWasm),
    diagnostics: at(files.diagnostics),
    ort: at(files.ort),
    ortWasm: at(files.ortWasm),
  };
}

/**
 * Resolves an option against the page's base URL.
 *
 * @param folder `"./"` if the option names a folder, so that the result ends in a slash
 */
function resolve(name: string, url: string | URL, folder?: "./"): URL {
  try {
    const resolved = new URL(url, document.baseURI);
    if (!folder) return resolved;
    if (!resolved.pathname.endsWith("/")) resolved.pathname += "/";
    // Throws for URLs without folders, such as data:.
    return new URL(folder, resolved);
  } catch {
    throw new MakemoreError(
      "INVALID_OPTION",
      `new Makemore: ${name} is ${formatValue(String(url))}; it must be a URL, absolute or relative to the page.`,
    );
  }
}

/** The part of Trusted Types that `trusted` uses; TypeScript's library does not have it. */
interface ScriptURLPolicy {
  createScriptURL(url: string): string;
}
interface TrustedTypes {
  readonly defaultPolicy: ScriptURLPolicy | null;
  createPolicy(name: string, rules: ScriptURLPolicy): ScriptURLPolicy;
}

let policy: ScriptURLPolicy | undefined;

/**
 * Turns a URL into one that `new Worker` accepts under `require-trusted-types-for 'script'`. The policy has the
 * package's name, so that a page can list it in `trusted-types`. It is created with the first worker, and not exported.
 */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  // With a default policy, the browser converts the string itself.
  if (!trustedTypes || trustedTypes.defaultPolicy) return url;
  try {
    policy ??= trustedTypes.createPolicy("makemore-web", { createScriptURL: (address) => address });
    return policy.createScriptURL(url);
  } catch {
    // `trusted-types` does not list the name. A string works unless `require-trusted-types-for` is set, too.
    return url;
  }
}

/**
 * Starts a worker. Browsers refuse a worker script from another origin (such as a CDN), but accept a local
 * script that imports it.
 *
 * @throws MakemoreError `LOAD_FAILED` if the browser refuses synchronously
 */
export function startWorker(url: string): Worker {
  const start = (script: string) => new Worker(trusted(script), { type: "module" });
  try {
    // `self.origin`, not `location.origin`: it is "null" in a sandboxed frame.
    if (new URL(url).origin === self.origin) return start(url);
    const line = `import ${JSON.stringify(url)}`;
    // A sandboxed frame has no origin, so a worker cannot start from a blob: URL there.
    if (self.origin === "null") return start(`data:text/javascript,${encodeURIComponent(line)}`);
    const script = URL.createObjectURL(new Blob([line], { type: "text/javascript" }));
    const worker = start(script);
    // Revoke the URL only at the first message, when the script has been fetched.
    worker.addEventListener("message", () => URL.revokeObjectURL(script), { once: true });
    return worker;
  } catch (cause) {
    throw new MakemoreError(
      "LOAD_FAILED",
      `The browser refuses to start the worker ${url} (${cause}): serve the page over http(s), and let its Content-Security-Policy allow the worker (worker-src, script-src, and makemore-web in trusted-types).`,
      { cause },
    );
  }
}

/**
 * Where the package's other files are. Each is complete in itself and named here as a literal
 * `new URL(…, import.meta.url)`, which every bundler takes for a file to copy as it stands; the
 * worker is told the addresses, so that no bundler has to understand it.
 */
import { MakemoreError } from "./errors";
import { formatValue } from "./formatValue";
import type { MakemoreOptions } from "./types";

/** Addresses by what is there. */
export interface AssetURLs {
  /** The worker script. */
  readonly worker: string;
  /** TensorFlow.js and the engines that need it, and its WebAssembly. */
  readonly tfjs: string;
  readonly tfjsWasm: string;
  /** ONNX Runtime, and its WebAssembly. */
  readonly ort: string;
  readonly ortWasm: string;
}

/** The addresses beside the main file. */
function besideMain(): Record<keyof AssetURLs, URL> {
  try {
    return {
      worker: new URL("./makemore-web/worker.js", import.meta.url),
      tfjs: new URL("./makemore-web/tfjs.js", import.meta.url),
      tfjsWasm: new URL("./makemore-web/tfjs.wasm", import.meta.url),
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

/**
 * The addresses, as the page's options and its base URL have it.
 *
 * @throws MakemoreError `LOAD_FAILED` in a classic script without `assetsURL`, `INVALID_OPTION` for a URL
 *   that is none, `UNSUPPORTED` where there is no page
 */
export function locateAssets({ workerURL, assetsURL }: MakemoreOptions): AssetURLs {
  if (typeof document === "undefined" || typeof Worker === "undefined")
    throw new MakemoreError(
      "UNSUPPORTED",
      "Makemore runs in a page of a browser; on a server, and in a worker, only import it.",
    );
  const files =
    assetsURL === undefined
      ? besideMain()
      : { worker: "worker.js", tfjs: "tfjs.js", tfjsWasm: "tfjs.wasm", ort: "ort.js", ortWasm: "ort.wasm" };
  const folder = assetsURL === undefined ? document.baseURI : resolve("assetsURL", assetsURL, "./");
  const at = (file: string | URL) => new URL(file, folder).href;
  return {
    worker: workerURL === undefined ? at(files.worker) : resolve("workerURL", workerURL).href,
    tfjs: at(files.tfjs),
    tfjsWasm: at(files.tfjsWasm),
    ort: at(files.ort),
    ortWasm: at(files.ortWasm),
  };
}

/**
 * Resolves an option against the page's base URL.
 *
 * @param folder `"./"` if the option names a folder: it then ends in a slash
 */
function resolve(name: string, url: string | URL, folder?: "./"): URL {
  try {
    const resolved = new URL(url, document.baseURI);
    if (!folder) return resolved;
    if (!resolved.pathname.endsWith("/")) resolved.pathname += "/";
    // Throws for URLs that have no folders, such as data:.
    return new URL(folder, resolved);
  } catch {
    throw new MakemoreError(
      "INVALID_OPTION",
      `new Makemore: ${name} is ${formatValue(String(url))}; it must be a URL, absolute or relative to the page.`,
    );
  }
}

/**
 * Starts a worker. A browser refuses a worker script of another origin (a CDN's), but not a local
 * one that imports it.
 *
 * @throws MakemoreError `LOAD_FAILED` where the browser refuses at once
 */
export function startWorker(url: string): Worker {
  try {
    // Not location's: the origin of a sandboxed frame is none at all.
    if (new URL(url).origin === self.origin) return new Worker(url, { type: "module" });
    const line = `import ${JSON.stringify(url)}`;
    // A sandboxed frame has no origin, and no blob of its own that a worker could start from.
    if (self.origin === "null")
      return new Worker(`data:text/javascript,${encodeURIComponent(line)}`, { type: "module" });
    const script = URL.createObjectURL(new Blob([line], { type: "text/javascript" }));
    const worker = new Worker(script, { type: "module" });
    // The script is fetched by then; revoking it at once would be too early.
    worker.addEventListener("message", () => URL.revokeObjectURL(script), { once: true });
    return worker;
  } catch (cause) {
    throw new MakemoreError(
      "LOAD_FAILED",
      `The browser refuses to start the worker ${url} (${cause}): serve the page over http(s), and let its Content-Security-Policy allow the worker (worker-src, script-src).`,
      { cause },
    );
  }
}

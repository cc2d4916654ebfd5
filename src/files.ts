/**
 * Where the package's other files are. Each is complete in itself and named here as a literal
 * `new URL(…, import.meta.url)`, which every bundler takes for a file to copy as it stands; the
 * worker is told the addresses, so that no bundler has to understand it.
 */
import { MakemoreError } from "./errors";
import type { MakemoreOptions } from "./types";

/** Addresses by what is there. */
export interface Files {
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
function besideMain(): Record<keyof Files, URL> {
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
      "The package cannot tell where its files are, because this script has no import.meta.url: bundle it as an ES module (esbuild: --format=esm), or say with assetsURL in which folder they are.",
    );
  }
}

/**
 * The addresses, as the page's options and its base URL have it.
 *
 * @throws MakemoreError `LOAD_FAILED` in a classic script without `assetsURL`
 */
export function locateFiles({ workerURL, assetsURL }: MakemoreOptions): Files {
  const files =
    assetsURL === undefined
      ? besideMain()
      : { worker: "worker.js", tfjs: "tfjs.js", tfjsWasm: "tfjs.wasm", ort: "ort.js", ortWasm: "ort.wasm" };
  const folder = assetsURL === undefined ? document.baseURI : new URL(`${assetsURL}/`, document.baseURI);
  const at = (file: string | URL) => new URL(file, folder).href;
  return {
    worker: workerURL === undefined ? at(files.worker) : new URL(workerURL, document.baseURI).href,
    tfjs: at(files.tfjs),
    tfjsWasm: at(files.tfjsWasm),
    ort: at(files.ort),
    ortWasm: at(files.ortWasm),
  };
}

/**
 * Starts a worker. A browser refuses a worker script of another origin (a CDN's), but not a local
 * one that imports it.
 */
export function startWorker(url: string): Worker {
  if (new URL(url).origin === location.origin) return new Worker(url, { type: "module" });
  const script = URL.createObjectURL(
    new Blob([`import ${JSON.stringify(url)}`], { type: "text/javascript" }),
  );
  const worker = new Worker(script, { type: "module" });
  // The script is fetched by then; revoking it at once would be too early.
  worker.addEventListener("message", () => URL.revokeObjectURL(script), { once: true });
  return worker;
}

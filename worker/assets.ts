/**
 * The package's files that the worker loads only when something needs them. Each is a file of its
 * own beside the worker, complete in itself, so that a bundler may copy it as it stands; nothing
 * here is ever fetched from anywhere else.
 */
import type * as ORT from "onnxruntime-web/wasm";
import { MakemoreError } from "../src/errors";
import type * as TfjsChunk from "./chunks/tfjs";
import { createWasmEngine } from "./engines/wasm";
import type { Engines } from "./training/chooseEngine";

/** Literal URLs, because that is what bundlers look for. */
const urls = {
  "tfjs.js": new URL("./tfjs.js", import.meta.url),
  "tfjs.wasm": new URL("./tfjs.wasm", import.meta.url),
  "ort.js": new URL("./ort.js", import.meta.url),
  "ort.wasm": new URL("./ort.wasm", import.meta.url),
};
type Asset = keyof typeof urls;

/** Where the page says that the files are, instead of beside the worker. */
let folder: string | undefined;
export function setAssetsURL(url: string): void {
  folder = url.endsWith("/") ? url : `${url}/`;
}

function assetURL(name: Asset): string {
  return folder === undefined ? urls[name].href : new URL(name, folder).href;
}

async function importAsset(name: Asset): Promise<unknown> {
  const url = assetURL(name);
  try {
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ url);
  } catch (error) {
    throw new MakemoreError("LOAD_FAILED", `${url} did not load (${error}); ${FIX}`);
  }
}

/** A .wasm file as bytes: checked, because servers answer a missing file with a page of HTML. */
async function fetchWasm(name: Asset): Promise<Uint8Array> {
  const url = assetURL(name);
  let got: string;
  try {
    const response = await fetch(url);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok && bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d)
      return bytes;
    got = `HTTP ${response.status}, ${response.headers.get("content-type") ?? "no content type"}, not WebAssembly`;
  } catch (error) {
    got = String(error);
  }
  throw new MakemoreError("LOAD_FAILED", `${url} did not load (${got}); ${FIX}`);
}
const FIX = "serve it from there, or say with assetsURL which folder has the package's files.";

/** The engines, of which the large ones load their code when they are first asked for. */
export const engines: Engines = {
  wasm: createWasmEngine,
  webgpu: async (setup) => (await tfjs()).createWebGPUEngine(setup),
  tfjs: async (setup) => (await tfjs()).createTfjsEngine(setup, { wasmURL: assetURL("tfjs.wasm") }),
};

async function tfjs(): Promise<typeof TfjsChunk> {
  return (await importAsset("tfjs.js")) as typeof TfjsChunk;
}

let ort: Promise<typeof ORT> | undefined;
/** ONNX Runtime, started. Loaded once; a failure is not kept. */
export function loadONNXRuntime(): Promise<typeof ORT> {
  ort ??= startONNXRuntime().catch((error) => {
    ort = undefined;
    throw error;
  });
  return ort;
}

async function startONNXRuntime(): Promise<typeof ORT> {
  const [runtime, wasmBinary] = await Promise.all([
    importAsset("ort.js") as Promise<typeof ORT>,
    fetchWasm("ort.wasm"),
  ]);
  // Threads need shared memory, which only isolated pages have.
  if (!globalThis.crossOriginIsolated) runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = wasmBinary;
  runtime.env.logLevel = "error";
  return runtime;
}

/**
 * Loads the package's other files on first use. The page passes their URLs; nothing is fetched from
 * anywhere else.
 */
import type * as ORT from "onnxruntime-web/wasm";
import type { AssetURLs } from "../src/assetURLs";
import { MakemoreError, SERVE_TOGETHER } from "../src/errors";
import { enginesFrom, predictorFrom } from "./engines";
import type { EngineFiles } from "./engines/engine";
import type * as TfjsChunk from "./engines/tfjsChunk";
import type * as WebGPUChunk from "./engines/webgpu";
import { fetchWasm } from "./fetchWasm";
import { GraphBuilder } from "./onnx/graph";
import { GraphSession } from "./sampling/runtime";
import { cannotRun, startFailure } from "./startFailure";
import type * as Diagnosis from "./training/diagnostics/diagnoser";

/**
 * Global in which a chunk stores its module: bundlers that copy a module may drop its exports, but not
 * its side effects.
 */
declare global {
  var makemoreWebChunks:
    | {
        webgpu?: typeof WebGPUChunk;
        tfjs?: typeof TfjsChunk;
        diagnostics?: typeof Diagnosis;
        ort?: typeof ORT;
      }
    | undefined;
}

let files: AssetURLs | undefined;
/** Sets the URLs; called once, at the start. */
export function setAssetURLs(told: AssetURLs): void {
  files = told;
}

function address(name: keyof AssetURLs): string {
  if (!files) throw new Error("The worker was not configured.");
  return files[name];
}

const failures = new Map<string, number>();

async function loadChunk<Name extends "webgpu" | "tfjs" | "diagnostics" | "ort">(
  name: Name,
): Promise<NonNullable<NonNullable<typeof globalThis.makemoreWebChunks>[Name]>> {
  const url = address(name);
  // Browsers cache a module that failed to load by its full URL, so a retry needs another URL.
  const failed = failures.get(name) ?? 0;
  const attempt = failed === 0 ? url : `${url}#${failed}`;
  let reason: unknown = "it is not the package's file";
  try {
    await import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ attempt);
  } catch (error) {
    reason = error;
    failures.set(name, failed + 1);
  }
  const chunk = globalThis.makemoreWebChunks?.[name];
  if (chunk) return chunk;
  throw new MakemoreError("LOAD_FAILED", `${url} did not load (${reason}). ${SERVE_TOGETHER}`);
}

const engineFiles: EngineFiles = {
  webgpu: () => loadChunk("webgpu"),
  tfjs: () => loadChunk("tfjs"),
  tfjsWasmURL: () => address("tfjsWasm"),
};
/** The engines; the large ones load their code on first use. */
export const engines = enginesFrom(engineFiles);
/** Opens the predictor that watches a training: the wasm one, or tfjs's if wasm does not run here. */
export const openPredictor = predictorFrom(engineFiles);

/** Loads what `diagnostics` needs, on the first call. */
export function loadDiagnostics(): Promise<typeof Diagnosis> {
  return loadChunk("diagnostics");
}

let ort: Promise<typeof ORT> | undefined;
/** Loads and starts ONNX Runtime once; does not cache a failure. */
export function loadONNXRuntime(): Promise<typeof ORT> {
  ort ??= startONNXRuntime().catch((error) => {
    ort = undefined;
    throw error;
  });
  return ort;
}

async function startONNXRuntime(): Promise<typeof ORT> {
  const url = address("ortWasm");
  if (typeof WebAssembly !== "object") throw cannotRun(url, " (there is no WebAssembly)");
  const [runtime, wasmBinary] = await Promise.all([loadChunk("ort"), fetchWasm(url)]);
  // One thread, also on isolated pages: ONNX Runtime would start its threads from this worker's script, which
  // only answers the page. docs/wavenet.md has the gain that threads would bring.
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = wasmBinary;
  runtime.env.logLevel = "error";
  // ONNX Runtime starts with its first session. Afterwards, drop the compiled binary's 14 MB of bytes.
  const graph = new GraphBuilder([], new Map());
  const value = { type: "float", dimensions: [1], description: "" } as const;
  graph.node("Identity", [graph.input({ name: "in", ...value })], {}, "identity", "out");
  graph.output({ name: "out", ...value });
  const first = await GraphSession.open(runtime, graph).catch(async (error) => {
    // This copy of the module remembers that it failed, for example because memory ran out: load another one next time.
    delete globalThis.makemoreWebChunks?.ort;
    failures.set("ort", (failures.get("ort") ?? 0) + 1);
    throw await startFailure(url, wasmBinary, error);
  });
  await first.release();
  structuredClone(wasmBinary.buffer, { transfer: [wasmBinary.buffer] });
  return runtime;
}

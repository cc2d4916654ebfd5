/**
 * tfjs and its backends. tfjs has one current backend for the whole worker: whoever is about to
 * run operations opens the one that its tensors live on, which costs nothing where it is open.
 *
 * The wasm backend's code is loaded when it is opened; what else `@tensorflow/tfjs` brings
 * along (layers, converters, WebGL) is left out of the built file: see tsup.config.ts.
 */
import * as tf from "@tensorflow/tfjs";
import { MakemoreError } from "../../../src/errors";
import { fetchWasm } from "../../fetchWasm";
import { isSoftware, requestAdapter } from "../gpu/adapter";
import { closeGPU, isUnreliable, type OpenedGPU, openGPU } from "../gpu/device";

export { tf };

/** What tfjs runs on. */
export type TfBackend = "webgpu" | "wasm" | "cpu";

/** What `openBackend` settled for. */
export interface OpenedBackend {
  readonly backend: TfBackend;
  /** For people: an adapter's name, or what it is. */
  readonly device: string;
  /** Where the backend is webgpu. */
  readonly gpu?: GPUDevice;
}

/**
 * Makes a backend tfjs's current one, and opens it where that was not done before.
 *
 * @param backend which; without it, the first that this machine has: webgpu on a real GPU, wasm, cpu
 * @param wasmURL where `tfjs-backend-wasm-simd.wasm` is served, under any name; without it there is
 *   no wasm
 * @throws MakemoreError `UNSUPPORTED` where this machine does not have the backend that was asked
 *   for, `LOAD_FAILED` where its file does not arrive
 */
export async function openBackend(backend?: TfBackend, wasmURL?: string | URL): Promise<OpenedBackend> {
  if (backend) return open(backend, wasmURL);
  const adapter = await requestAdapter();
  const candidates: TfBackend[] = [];
  if (adapter && !isSoftware(adapter) && !isUnreliable()) candidates.push("webgpu");
  if (wasmURL !== undefined && typeof WebAssembly === "object") candidates.push("wasm");
  for (const candidate of candidates)
    try {
      return await open(candidate, wasmURL);
    } catch (error) {
      // A file that does not arrive is a mistake to be told, not a machine to make do with.
      if (!(error instanceof MakemoreError) || error.code !== "UNSUPPORTED") throw error;
    }
  return open("cpu");
}

async function open(backend: TfBackend, wasmURL?: string | URL): Promise<OpenedBackend> {
  switch (backend) {
    case "webgpu": {
      const { device, name } = await openWebGPU();
      return { backend, device: name, gpu: device };
    }
    case "wasm":
      await openWasm(wasmURL);
      return { backend, device: "wasm (tfjs)" };
    case "cpu":
      await tf.setBackend("cpu");
      return { backend, device: "cpu (tfjs)" };
  }
}

/** The backend on the device it was started for. */
let started: { readonly device: GPUDevice; readonly done: Promise<void> } | undefined;

/**
 * Makes webgpu the current backend, on the thread's device (worker/engines/gpu/device.ts). After the device is
 * lost or closed, tfjs's tensors on it are gone, and the next call opens a new one.
 *
 * @throws MakemoreError `UNSUPPORTED` with the reason
 */
export async function openWebGPU(): Promise<OpenedGPU> {
  const gpu = await openGPU();
  if (started?.device !== gpu.device) started = { device: gpu.device, done: startWebGPU(gpu) };
  try {
    await started.done;
    await tf.setBackend("webgpu");
    return gpu;
  } catch (error) {
    forget(gpu.device);
    throw error;
  }
}

async function startWebGPU({ device, info }: OpenedGPU): Promise<void> {
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  // The backend as it registers itself would ask for a device of its own.
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => new WebGPUBackend(device, info));
  if (!(await tf.setBackend("webgpu"))) {
    await tf.setBackend("cpu");
    throw new MakemoreError("UNSUPPORTED", "tfjs cannot run on this GPU; use the wasm backend.");
  }
  device.lost.then(() => forget(device));
}

/** Takes the webgpu backend out of tfjs and destroys the device; safe if there is none. */
export function closeWebGPU(): void {
  if (started) forget(started.device);
  closeGPU();
}

/** Leaves tfjs as if the device had never been opened, able to open another. */
function forget(device: GPUDevice): void {
  if (started?.device !== device) return;
  started = undefined;
  // tfjs is not to be left without a current backend: it would pick one by itself.
  if (tf.getBackend() === "webgpu") tf.setBackend("cpu");
  // Removing disposes of the backend and forgets its factory with it.
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
}

let wasm: Promise<void> | undefined;
/** Setting the paths again throws if the backend could not start before. */
let pathsSet = false;

async function openWasm(url: string | URL | undefined): Promise<void> {
  wasm ??= startWasm(url);
  try {
    await wasm;
    await tf.setBackend("wasm");
  } catch (error) {
    wasm = undefined;
    throw error;
  }
}

async function startWasm(url: string | URL | undefined): Promise<void> {
  if (url === undefined)
    throw new MakemoreError(
      "UNSUPPORTED",
      "tfjs's wasm backend needs to know where tfjs-backend-wasm-simd.wasm is served.",
    );
  // tfjs fetches it again, and would hang or give up for good on a file that is not there.
  await fetchWasm(String(url));
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  if (!pathsSet) {
    // It wants to know all of its builds, and fetches the one it takes.
    const builds = ["", "-simd", "-threaded-simd"].map((build) => `tfjs-backend-wasm${build}.wasm`);
    setWasmPaths(Object.fromEntries(builds.map((name) => [name, String(url)])));
    pathsSet = true;
  }
  // One thread: more need cross-origin isolation and workers from blob: URLs, for a model this small.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT")) || !(await tf.setBackend("wasm"))) {
    await tf.setBackend("cpu");
    throw new MakemoreError(
      "UNSUPPORTED",
      "This page cannot run tfjs's wasm backend: the browser lacks SIMD, or its Content-Security-Policy lacks 'wasm-unsafe-eval'.",
    );
  }
}

/**
 * tfjs and its backends. tfjs has one current backend for the whole worker. Call `openBackend` before running
 * operations, so that the backend of their tensors is current; this costs nothing if it is open already.
 *
 * Opening the wasm backend loads its code. The build leaves out the rest of `@tensorflow/tfjs` (layers,
 * converters, WebGL): see tsup.config.ts.
 */
import * as tf from "@tensorflow/tfjs";
import { MakemoreError } from "../../../src/errors";
import { fetchWasm } from "../../fetchWasm";
import { startFailure } from "../../startFailure";
import { isSoftware, requestAdapter } from "../gpu/adapter";
import { closeGPU, isUnreliable, type OpenedGPU, openGPU } from "../gpu/device";

export { tf };

/** What tfjs runs on. */
export type TfBackend = "webgpu" | "wasm" | "cpu";

/** The backend that `openBackend` opened. */
export interface OpenedBackend {
  readonly backend: TfBackend;
  /** Readable name: the adapter's, or the kind of backend. */
  readonly device: string;
  /** Set if the backend is webgpu. */
  readonly gpu?: GPUDevice;
}

/**
 * Makes a backend tfjs's current one, and opens it if it is not open yet.
 *
 * @param backend default: the first that this machine has of webgpu (on a real GPU), wasm and cpu
 * @param wasmURL URL of `tfjs-backend-wasm-simd.wasm`, under any file name; without it, wasm is not available
 * @throws MakemoreError `UNSUPPORTED` if this machine does not have the requested backend, `LOAD_FAILED` if
 *   its file does not load, `WORKER_FAILED` if memory does not suffice
 */
export async function openBackend(backend?: TfBackend, wasmURL?: string | URL): Promise<OpenedBackend> {
  if (backend) return open(backend, wasmURL);
  // Some browsers refuse instead of giving none.
  const adapter = await requestAdapter().catch(() => undefined);
  const candidates: TfBackend[] = [];
  if (adapter && !isSoftware(adapter) && !isUnreliable()) candidates.push("webgpu");
  if (wasmURL !== undefined && typeof WebAssembly === "object") candidates.push("wasm");
  for (const candidate of candidates)
    try {
      return await open(candidate, wasmURL);
    } catch (error) {
      // Report a missing file instead of falling back: it is a mistake in the setup, not a limit of the machine.
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

/** The webgpu backend's start, and its device. */
let started: { readonly device: GPUDevice; readonly done: Promise<void> } | undefined;

/**
 * Makes webgpu the current backend, on the thread's device (worker/engines/gpu/device.ts). When the device is
 * lost or closed, tfjs's tensors on it are gone, and the next call opens a new device.
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
  // tfjs's own factory would request a second device.
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => new WebGPUBackend(device, info));
  if (!(await tf.setBackend("webgpu"))) {
    await tf.setBackend("cpu");
    throw new MakemoreError("UNSUPPORTED", "tfjs cannot run on this GPU; use the wasm backend.");
  }
  device.lost.then(() => forget(device));
}

/** Removes the webgpu backend from tfjs and destroys the device; safe if there is none. */
export function closeWebGPU(): void {
  if (started) forget(started.device);
  closeGPU();
}

/** Resets tfjs so that it can open another device. */
function forget(device: GPUDevice): void {
  if (started?.device !== device) return;
  started = undefined;
  // Without a current backend, tfjs would pick one by itself.
  if (tf.getBackend() === "webgpu") tf.setBackend("cpu");
  // Also disposes of the backend and removes its factory.
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
}

let wasm: Promise<void> | undefined;
/** Set once only: setting the paths again throws if the backend failed to start before. */
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
  // tfjs fetches the file again, but hangs or fails for good if it is missing. So check it first.
  const bytes = await fetchWasm(String(url));
  if (!WebAssembly.validate(bytes)) throw await startFailure(String(url), bytes);
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  if (!pathsSet) {
    // tfjs wants a path for each build, and fetches only one of them.
    const builds = ["", "-simd", "-threaded-simd"].map((build) => `tfjs-backend-wasm${build}.wasm`);
    setWasmPaths(Object.fromEntries(builds.map((name) => [name, String(url)])));
    pathsSet = true;
  }
  // One thread: more need cross-origin isolation and workers from blob: URLs, not worth it for small models.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (await tf.setBackend("wasm")) return;
  // The file that tfjs fetched may not have arrived.
  const again = await fetchWasm(String(url));
  if (WebAssembly.validate(again) && (await tf.setBackend("wasm"))) return;
  await tf.setBackend("cpu");
  throw await startFailure(String(url), again);
}

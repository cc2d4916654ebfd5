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
import { adapterName, isSoftware, requestAdapter } from "../adapter";

export { tf };

/** What tfjs runs on. */
export type TfBackend = "webgpu" | "wasm" | "cpu";

/** The GPU as tfjs-backend-webgpu opened it. */
export interface WebGPU {
  readonly device: GPUDevice;
  /** The adapter's name, for people. */
  readonly name: string;
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
}

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
  if (adapter && !isSoftware(adapter) && gpusLost < MOST_LOST) candidates.push("webgpu");
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

/** A GPU that was lost so often, by itself, is passed over. */
const MOST_LOST = 2;
let gpusLost = 0;

let opening: Promise<WebGPU> | undefined;
let opened: WebGPU | undefined;

/**
 * Makes webgpu the current backend and gives its device, the same one until it is lost or
 * closed. After that tfjs's tensors on it are gone, and the next call opens a new device.
 *
 * @throws MakemoreError `UNSUPPORTED` with the reason
 */
export async function openWebGPU(): Promise<WebGPU> {
  opening ??= startWebGPU();
  try {
    const gpu = await opening;
    await tf.setBackend("webgpu");
    return gpu;
  } catch (error) {
    opening = undefined;
    throw error;
  }
}

async function startWebGPU(): Promise<WebGPU> {
  const adapter = await requestAdapter();
  if (!adapter)
    throw new MakemoreError(
      "UNSUPPORTED",
      "This browser gives no WebGPU adapter (or the page is not https); use the wasm backend.",
    );
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  // The backend as it registers itself would ask for a device of its own.
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", async () => new WebGPUBackend(await requestDevice(adapter), adapter.info));
  const started = await tf.setBackend("webgpu");
  const backend = started ? tf.backend() : undefined;
  if (!(backend instanceof WebGPUBackend)) {
    await tf.setBackend("cpu");
    throw new MakemoreError("UNSUPPORTED", "The GPU refused a WebGPU device; use the wasm backend.");
  }
  const { device } = backend;
  opened = { device, name: adapterName(adapter), software: isSoftware(adapter) };
  device.lost.then(({ reason }) => {
    if (reason !== "destroyed") gpusLost++;
    forget(device);
  });
  return opened;
}

/** A device with what tfjs itself asks for: the adapter's own limits, by which its kernels gain. */
function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { limits } = adapter;
  return adapter.requestDevice({
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
}

/** Takes the webgpu backend out of tfjs and destroys its device; safe where there is none. */
export function closeWebGPU(): void {
  const device = opened?.device;
  if (!device) return;
  forget(device);
  device.destroy();
}

/** Leaves tfjs as if the device had never been opened, able to open another. */
function forget(device: GPUDevice): void {
  if (opened?.device !== device) return;
  opened = opening = undefined;
  // tfjs is not to be left without a current backend: it would pick one by itself.
  if (tf.getBackend() === "webgpu") tf.setBackend("cpu");
  const factory = tf.findBackendFactory("webgpu");
  // Removing disposes of the backend and forgets its factory with it.
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", factory);
}

let wasm: Promise<void> | undefined;

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
  // It wants to know all of its builds, and fetches the one it takes.
  const builds = ["", "-simd", "-threaded-simd"].map((build) => `tfjs-backend-wasm${build}.wasm`);
  setWasmPaths(Object.fromEntries(builds.map((name) => [name, String(url)])));
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

/**
 * The GPU device of this thread. Everything that computes on the GPU shares it, because a buffer works only
 * on its own device. The first request opens it, and so does the first one after it was lost or closed.
 *
 * The state is a global, because each chunk has its own copy of this file.
 */
import { MakemoreError } from "../../../src/errors";
import { adapterName, isSoftware, requestAdapter } from "./adapter";

/** An open device. */
export interface OpenedGPU {
  readonly device: GPUDevice;
  /** The adapter's own description. */
  readonly info: GPUAdapterInfo;
  /** The adapter's name as readable text. */
  readonly name: string;
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
}

/** After this many losses that we did not cause, `auto` skips the GPU. */
const MOST_LOST = 2;

/** What the files of this thread share. */
interface ThreadGPU {
  timesLost: number;
  opening?: Promise<OpenedGPU> | undefined;
  opened?: GPUDevice | undefined;
}
// Not `declare global`, which would become part of the package's types, where WebGPU's are not known.
const shared: typeof globalThis & { makemoreWebGPU?: ThreadGPU | undefined } = globalThis;
shared.makemoreWebGPU ??= { timesLost: 0 };
const thread = shared.makemoreWebGPU;

/**
 * Opens the device. Returns the same one until it is lost or closed.
 *
 * @throws MakemoreError `UNSUPPORTED` with the reason
 */
export async function openGPU(): Promise<OpenedGPU> {
  thread.opening ??= requestGPU();
  try {
    return await thread.opening;
  } catch (error) {
    thread.opening = undefined;
    throw error;
  }
}

/** Destroys the device; safe if there is none. */
export function closeGPU(): void {
  const device = thread.opened;
  thread.opened = thread.opening = undefined;
  device?.destroy();
}

/** Tells whether the GPU was lost so often that `auto` should skip it. */
export function isUnreliable(): boolean {
  return thread.timesLost >= MOST_LOST;
}

async function requestGPU(): Promise<OpenedGPU> {
  const adapter = await requestAdapter().catch((cause) => {
    throw new MakemoreError(
      "UNSUPPORTED",
      `This browser refuses a WebGPU adapter (${cause}); use the wasm backend.`,
      { cause },
    );
  });
  if (!adapter)
    throw new MakemoreError(
      "UNSUPPORTED",
      "This browser gives no WebGPU adapter (or the page is not https); use the wasm backend.",
    );
  const device = await requestDevice(adapter).catch((cause) => {
    throw new MakemoreError("UNSUPPORTED", "The GPU refused a WebGPU device; use the wasm backend.", {
      cause,
    });
  });
  thread.opened = device;
  device.lost.then(({ reason }) => {
    if (reason !== "destroyed") thread.timesLost++;
    if (thread.opened === device) thread.opened = thread.opening = undefined;
  });
  return { device, info: adapter.info, name: adapterName(adapter), software: isSoftware(adapter) };
}

/** Requests a device with the adapter's own limits, as tfjs does, because they make its kernels faster. */
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

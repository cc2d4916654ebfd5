/**
 * The GPU device of this thread. All who compute on the GPU share it, because buffers of one device are of
 * no use on another. It is opened when it is first asked for, and anew after it was lost or closed.
 */
import { MakemoreError } from "../../../src/errors";
import { adapterName, isSoftware, requestAdapter } from "./adapter";

/** A device that is open. */
export interface OpenedGPU {
  readonly device: GPUDevice;
  /** The adapter's own description. */
  readonly info: GPUAdapterInfo;
  /** The adapter's name, for people. */
  readonly name: string;
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
}

/** A GPU that was lost so often, by itself, is passed over. */
const MOST_LOST = 2;
let timesLost = 0;

let opening: Promise<OpenedGPU> | undefined;
let opened: GPUDevice | undefined;

/**
 * Opens the device: the same one until it is lost or closed.
 *
 * @throws MakemoreError `UNSUPPORTED` with the reason
 */
export async function openGPU(): Promise<OpenedGPU> {
  opening ??= requestGPU();
  try {
    return await opening;
  } catch (error) {
    opening = undefined;
    throw error;
  }
}

/** Destroys the device; safe if there is none. */
export function closeGPU(): void {
  const device = opened;
  opened = opening = undefined;
  device?.destroy();
}

/** Whether the GPU was lost too often to be taken without being asked for. */
export function isUnreliable(): boolean {
  return timesLost >= MOST_LOST;
}

async function requestGPU(): Promise<OpenedGPU> {
  const adapter = await requestAdapter();
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
  opened = device;
  device.lost.then(({ reason }) => {
    if (reason !== "destroyed") timesLost++;
    if (opened === device) opened = opening = undefined;
  });
  return { device, info: adapter.info, name: adapterName(adapter), software: isSoftware(adapter) };
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

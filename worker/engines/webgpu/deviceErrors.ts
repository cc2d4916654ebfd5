/**
 * Turns GPU failures into rejections. Otherwise a lost device may leave promises pending forever, and a
 * failed operation only reports to an error scope, without throwing.
 */
import { EngineLost } from "../engine";

type Listener = (error: EngineLost) => void;

/** Listeners for the loss of each device. Each device gets one handler, for any number of engines. */
const listeners = new WeakMap<GPUDevice, Set<Listener>>();

/**
 * Calls `listener` once when the device is lost, or soon if it is lost already.
 *
 * @returns a function that removes the listener
 */
export function onLoss(device: GPUDevice, listener: Listener): () => void {
  const known = listeners.get(device);
  const all = known ?? new Set();
  all.add(listener);
  if (!known) {
    listeners.set(device, all);
    device.lost.then(({ reason, message }) => {
      // Listeners added later get a new handler.
      listeners.delete(device);
      const error = new EngineLost(`The GPU was lost (${reason}: ${message || "no reason given"}).`);
      for (const each of all) each(error);
    });
  }
  return () => all.delete(listener);
}

const SCOPES = ["validation", "out-of-memory", "internal"] as const;

/**
 * Runs `work`, which must issue its GPU commands synchronously, and waits for its result and for the
 * GPU's errors.
 *
 * @throws GPUError the first error of the GPU, or what `work` throws
 */
export async function inErrorScopes<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  for (const scope of SCOPES) device.pushErrorScope(scope);
  // Pop the scopes before awaiting anything, because all code on the device shares the stack of scopes.
  const result = work();
  const objections = Promise.all(SCOPES.map(() => device.popErrorScope()));
  const [settled, errors] = await Promise.allSettled([result, objections]);
  if (errors.status === "fulfilled") for (const error of errors.value) if (error) throw error;
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

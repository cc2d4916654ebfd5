/**
 * What a GPU does when something is wrong, made into rejections. A device that is lost may leave
 * promises open, and an operation that fails says so only to an error scope: nothing throws.
 */
import { EngineLost } from "../engine";

type Listener = (error: EngineLost) => void;

/** Who wants to know of a device's loss; one handler a device, whatever the number of engines. */
const listeners = new WeakMap<GPUDevice, Set<Listener>>();

/**
 * Calls back once when the device is lost, at once where it was before.
 *
 * @returns what takes the callback back
 */
export function onLoss(device: GPUDevice, listener: Listener): () => void {
  const known = listeners.get(device);
  const all = known ?? new Set();
  all.add(listener);
  if (!known) {
    listeners.set(device, all);
    device.lost.then(({ reason, message }) => {
      // Later ones hear of it from a handler of their own.
      listeners.delete(device);
      const error = new EngineLost(`The GPU was lost (${reason}: ${message || "no reason given"}).`);
      for (const each of all) each(error);
    });
  }
  return () => all.delete(listener);
}

const SCOPES = ["validation", "out-of-memory", "internal"] as const;

/**
 * Runs what issues GPU commands in its synchronous part, and waits for the result and for what
 * the GPU has to object.
 *
 * @throws GPUError the first objection, or what `work` throws
 */
export async function inErrorScopes<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  for (const scope of SCOPES) device.pushErrorScope(scope);
  // Popped before anything is awaited: the stack of scopes is the device's, not ours alone.
  const result = work();
  const objections = Promise.all(SCOPES.map(() => device.popErrorScope()));
  const [settled, errors] = await Promise.allSettled([result, objections]);
  if (errors.status === "fulfilled") for (const error of errors.value) if (error) throw error;
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

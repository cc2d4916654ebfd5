/**
 * Runs long work in slices of time, so that neither the page nor a short call waits for it. The work is a
 * generator: it yields wherever it may be interrupted, and returns its result.
 */

/** Work that yields about once per millisecond or more often. */
export type Work<T> = Generator<void, T>;

/** Items of a cheap loop between two yields; a power of 2. */
export const ITEMS = 4096;

/**
 * Calls `block` for the ranges of ITEMS that make up [0, count). Browsers optimise a plain loop sooner than one that
 * yields.
 */
export function* inBlocks(count: number, block: (from: number, to: number) => void): Work<void> {
  for (let from = 0; from < count; from += ITEMS) {
    block(from, Math.min(count, from + ITEMS));
    yield;
  }
}

/** Length of a slice, ms: well below 50 ms, from which on browsers report a long task. */
const SLICE_MS = 12;

/** Runs work for one slice of time, or to its end. */
export function runSlice<T>(work: Work<T>): IteratorResult<void, T> {
  const end = performance.now() + SLICE_MS;
  for (;;) {
    const result = work.next();
    if (result.done || performance.now() >= end) return result;
  }
}

/**
 * Runs work to its end, with a turn of the event loop between slices. The first slice runs at once.
 *
 * @throws the signal's reason when it aborts
 */
export async function inSlices<T>(work: Work<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    const result = runSlice(work);
    if (result.done) return result.value;
    await nextTask();
  }
}

/** Returns a function that yields to the event loop if `ms` have passed since the last time; call it often. */
export function turns(ms: number): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < ms) return;
    await nextTask();
    last = performance.now();
  };
}

/** Runs work to its end without a break. */
export function runToEnd<T>(work: Work<T>): T {
  for (;;) {
    const result = work.next();
    if (result.done) return result.value;
  }
}

/**
 * Yields to the event loop once. It posts a message to itself, because browsers clamp nested timers to 4 ms,
 * and to a second in a hidden tab.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Waits with a timer, which takes at least a second in the page of a hidden tab. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Settles when a promise does, but without its value, so that waiting for a call does not keep its result in memory. */
export async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => {});
}

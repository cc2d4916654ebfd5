/** Runs long work in slices, so that the page stays responsive. */

/** Milliseconds that one slice may take; a frame at 60 Hz is 16.7. */
const SLICE = 8;

/**
 * Returns a function to await between small pieces of work: it yields to the page when the slice is over.
 *
 * @param signal ends the work: the function then throws the signal's reason
 */
export function slices(signal?: AbortSignal): () => Promise<void> {
  let end = performance.now() + SLICE;
  return async () => {
    if (performance.now() < end) return;
    await nextTask();
    signal?.throwIfAborted();
    end = performance.now() + SLICE;
  };
}

/** Resolves in a task of its own. Not by a timer: browsers slow those down in a tab in the background. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

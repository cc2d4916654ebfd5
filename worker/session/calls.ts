/** Running calls. Each can be aborted by its id, and ends with an `Outcome`. */
import { type ProxyMarked, type Remote, releaseProxy } from "comlink";
import type { MakemoreError } from "../../src/errors";
import type { Outcome } from "../../src/protocol";
import { settled } from "../../src/slices";
import { FREE_MEMORY } from "../startFailure";

export class Calls {
  readonly #running = new Map<number, { readonly stop: AbortController; readonly ended: Promise<unknown> }>();
  /** Abort controllers by call id, for trainings that end softly. A stop may arrive before the training starts. */
  readonly #softStops = new Map<number, AbortController>();
  /** Calls that run beside a training. */
  readonly #beside = new Set<Promise<unknown>>();

  /**
   * Runs a call; its synchronous part runs at once.
   *
   * @param proxy comlink proxy of the page's callback; released when the call ends
   */
  run<T>(
    id: number,
    proxy: object | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<Outcome<T>> {
    const stop = new AbortController();
    const answer = outcome(() => call(stop.signal)).finally(() => {
      this.#running.delete(id);
      this.#softStops.delete(id);
      (proxy as Remote<ProxyMarked> | undefined)?.[releaseProxy]();
    });
    this.#running.set(id, { stop, ended: settled(answer) });
    return answer;
  }

  /** Like `run`, for a call that a training pauses for. */
  async runBeside<T>(
    id: number,
    proxy: object | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<Outcome<T>> {
    const answer = this.run(id, proxy, call);
    this.#beside.add(answer);
    try {
      return await answer;
    } finally {
      this.#beside.delete(answer);
    }
  }

  /** Settles when the calls that currently run beside a training have ended; undefined if there are none. */
  others(): Promise<unknown> | undefined {
    return this.#beside.size > 0 ? Promise.allSettled(this.#beside) : undefined;
  }

  /** Aborts a call, and waits until it has ended. */
  async abort(id: number): Promise<void> {
    const running = this.#running.get(id);
    // Only for the worker's own stack traces; the page rejects with its signal's reason.
    running?.stop.abort(new Error("The call was aborted."));
    await running?.ended;
  }

  stop(id: number): void {
    this.#softStop(id).abort();
  }

  /** Returns a signal that aborts when the training should end softly. */
  softStop(id: number): AbortSignal {
    return this.#softStop(id).signal;
  }

  #softStop(id: number): AbortController {
    const stop = this.#softStops.get(id) ?? new AbortController();
    this.#softStops.set(id, stop);
    return stop;
  }
}

/** Runs a call and returns its result or error as data. */
export async function outcome<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    // Compare the name, because each chunk has its own copy of the class.
    if (error instanceof Error && error.name === "MakemoreError" && "code" in error) {
      const { code, message, condition } = error as MakemoreError;
      return { error: { code, message, condition } };
    }
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const fix = /memory|allocat/i.test(reason) ? `; the browser lacks memory: ${FREE_MEMORY}.` : "";
    return { error: { code: "WORKER_FAILED", message: `The worker failed: ${reason}${fix}` } };
  }
}

/**
 * Waits for work, or until the signal aborts.
 *
 * @throws the signal's reason if it aborts first
 */
export function orAborted<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stop));
  });
}

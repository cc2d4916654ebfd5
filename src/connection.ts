/**
 * The line to the worker. comlink carries the calls, but a comlink call never settles when the
 * worker dies, so everything that waits on the worker waits here: `race` rejects it the moment
 * the worker is known to be gone.
 */
import { type Remote, wrap } from "comlink";
import { MakemoreError } from "./errors";
import type { Outcome, WorkerAPI } from "./protocol";
import { startWorker, workerURL } from "./startWorker";
import type { MakemoreOptions } from "./types";

export class Connection {
  readonly #worker: Worker;
  readonly #api: Remote<WorkerAPI>;
  readonly #ready: Promise<void>;
  readonly #pending = new Set<(error: MakemoreError) => void>();
  #answered = false;

  /**
   * Starts a worker.
   *
   * @param options of the `Makemore`, checked by the worker
   * @param onEnd called once, when the worker is gone for whatever reason
   */
  constructor(
    options: MakemoreOptions,
    readonly onEnd: () => void,
  ) {
    const url = workerURL(options);
    this.#worker = startWorker(url);
    this.#api = wrap<WorkerAPI>(this.#worker);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(
        this.#answered
          ? new MakemoreError("WORKER_FAILED", `The worker failed: ${event.message}.`)
          : new MakemoreError(
              "LOAD_FAILED",
              `The worker ${url} did not start${event.message ? ` (${event.message})` : ""}: it is missing, not served as JavaScript, or refused by the page's Content-Security-Policy. Serve the package's files together, or say where they are with workerURL.`,
            ),
      );
    };
    this.#worker.onmessageerror = () =>
      this.end(new MakemoreError("WORKER_FAILED", "A message of the worker could not be read."));
    this.#ready = this.#configure(options);
    // Whoever calls first hears of it; nobody else has to.
    this.#ready.catch(() => {});
  }

  async #configure(options: MakemoreOptions): Promise<void> {
    const { backend, workerURL, assetsURL, ...unknown } = options;
    const lockName = `makemore-web ${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    const outcome = await this.#api.configure({
      options: {
        ...unknown,
        ...(backend === undefined ? {} : { backend }),
        ...(workerURL === undefined ? {} : { workerURL: String(workerURL) }),
        ...(assetsURL === undefined ? {} : { assetsURL: String(new URL(assetsURL, document.baseURI)) }),
      },
      lockName,
    });
    this.#answered = true;
    if ("error" in outcome) {
      const error = new MakemoreError(outcome.error.code, outcome.error.message);
      this.end(error);
      throw error;
    }
    // A worker that is killed says nothing, but lets go of its lock.
    void navigator.locks?.request(lockName, () =>
      this.end(new MakemoreError("WORKER_FAILED", "The worker was killed; what it had learned is lost.")),
    );
  }

  /**
   * Makes a call and unpacks its outcome.
   *
   * @throws MakemoreError the worker's own, or why it is gone
   */
  async race<T>(call: (api: Remote<WorkerAPI>) => Promise<Outcome<T>>): Promise<T> {
    let reject: (error: MakemoreError) => void = () => {};
    const gone = new Promise<never>((_, r) => {
      reject = r;
    });
    this.#pending.add(reject);
    try {
      const outcome = await Promise.race([gone, this.#ready.then(() => call(this.#api))]);
      if ("error" in outcome) throw new MakemoreError(outcome.error.code, outcome.error.message);
      return outcome.value;
    } catch (error) {
      // Options are cloned to the worker, where they are checked; a function, say, does not get there.
      if (error instanceof Error && error.name === "DataCloneError")
        throw new MakemoreError("INVALID_OPTION", `An option cannot be sent to the worker: ${error.message}`);
      throw error;
    } finally {
      this.#pending.delete(reject);
    }
  }

  /** Asks a call that is under way to end soon. */
  abort(id: number): void {
    void this.#api.abort(id);
  }

  /** Stops the worker and rejects whatever waits on it. Later calls do nothing. */
  end(error: MakemoreError): void {
    this.#worker.onerror = this.#worker.onmessageerror = null;
    this.#worker.terminate();
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.onEnd();
  }
}

/**
 * The line to the worker. comlink carries the calls, but a comlink call never settles when the
 * worker dies, so everything that waits on the worker waits here: `race` rejects it the moment
 * the worker is known to be gone.
 */
import { type Remote, wrap } from "comlink";
import { version } from "../package.json";
import { MakemoreError } from "./errors";
import { type Files, locateFiles, startWorker } from "./files";
import type { Measurements, Outcome, WorkerAPI } from "./protocol";
import type { MakemoreOptions } from "./types";

/** Kept for the page's life, so that no second worker measures what a first one did. */
export const measurements: Measurements = new Map();

/** A worker that has not said a word by then never will, ms. */
const PATIENCE_MS = 60_000;

export class Connection {
  readonly #worker: Worker;
  readonly #api: Remote<WorkerAPI>;
  readonly #ready: Promise<void>;
  readonly #pending = new Set<(error: MakemoreError) => void>();
  #answered = false;
  #ended = false;

  /**
   * Starts a worker.
   *
   * @param options of the `Makemore`, checked by the worker
   * @param onEnd called once, when the worker is gone for whatever reason
   * @throws MakemoreError `INVALID_OPTION` for an address that is none, `LOAD_FAILED`
   */
  constructor(
    options: MakemoreOptions,
    readonly onEnd: (connection: Connection) => void,
  ) {
    const files = locateFiles(options);
    this.#worker = startWorker(files.worker);
    this.#api = wrap<WorkerAPI>(this.#worker);
    this.#worker.onerror = async (event) => {
      event.preventDefault();
      this.end(
        this.#answered
          ? new MakemoreError("WORKER_FAILED", `The worker failed: ${event.message}.`)
          : new MakemoreError(
              "LOAD_FAILED",
              `The worker ${files.worker} did not start: ${event.message || (await whyNot(files.worker))}. ${FIX}`,
            ),
      );
    };
    this.#worker.onmessageerror = () =>
      this.end(new MakemoreError("WORKER_FAILED", "A message of the worker could not be read."));
    this.#ready = this.#configure(options, files);
    // Whoever calls first hears of it; nobody else has to.
    this.#ready.catch(() => {});
  }

  async #configure(options: MakemoreOptions, files: Files): Promise<void> {
    const lockName = `makemore-web ${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    // A URL cannot be cloned; where it leads is in `files`.
    const { workerURL: _, assetsURL: __, ...checked } = options;
    const impatience = setTimeout(() => {
      const seconds = PATIENCE_MS / 1000;
      this.end(
        new MakemoreError(
          "LOAD_FAILED",
          `The worker ${files.worker} has not answered for ${seconds} s: the network is slow, or it is not this package's. ${FIX}`,
        ),
      );
    }, PATIENCE_MS);
    let outcome: Outcome<void>;
    try {
      outcome = await this.#api.configure({ version, options: checked, files, lockName, measurements });
    } catch (error) {
      // An option that cannot be sent.
      this.end(new MakemoreError("INVALID_OPTION", `new Makemore: ${error}`));
      throw error;
    } finally {
      clearTimeout(impatience);
    }
    this.#answered = true;
    if ("error" in outcome) {
      const error = new MakemoreError(outcome.error.code, outcome.error.message);
      this.end(error);
      throw error;
    }
    // A worker that is killed says nothing, but lets go of its lock. Where the browser refuses locks (a
    // sandboxed frame, say), its death goes unnoticed until the worker itself reports it.
    navigator.locks
      ?.request(lockName, () =>
        this.end(new MakemoreError("WORKER_FAILED", "The worker was killed; what it had learned is lost.")),
      )
      .catch(() => {});
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
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.onerror = this.#worker.onmessageerror = null;
    this.#worker.terminate();
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.onEnd(this);
  }
}

const FIX = "Serve the package's files together, or say where they are with assetsURL.";

/** Why a script did not start: a browser's error event does not say. */
async function whyNot(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
  const elsewhere = new URL(url).origin !== self.origin;
  // From another origin it is a local script of one line that imports it.
  const policy = `the page's Content-Security-Policy refuses it (${elsewhere ? `worker-src and script-src need blob: and ${new URL(url).origin}` : "worker-src, script-src"})`;
  if (!response) return `it cannot be reached, or ${policy}`;
  if (!response.ok) return `the server answered ${response.status}`;
  const type = response.headers.get("content-type");
  return /javascript/.test(type ?? "")
    ? `${policy}, or it is damaged`
    : `it is served as ${type}, not as JavaScript`;
}

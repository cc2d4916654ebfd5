/**
 * The connection to the worker, over comlink. A comlink call never settles when the worker dies, so all calls
 * go through `race`, which rejects them as soon as the worker is known to be gone.
 */
import type { Remote } from "comlink";
import { version } from "../package.json";
import { type AssetURLs, locateAssets } from "./assetURLs";
import { MakemoreError, SERVE_TOGETHER } from "./errors";
import { Line } from "./line";
import type { Measurements, Outcome, WorkerAPI } from "./protocol";
import { delay } from "./slices";
import type { MakemoreOptions, ModelInfo } from "./types";

/** Benchmarks of all workers of this page, so that a second worker does not repeat those of the first. */
export const measurements: Measurements = new Map();

/** Timeout for the worker's first message, ms. */
const PATIENCE_MS = 60_000;
/**
 * Time until a second worker starts if the first has not answered, ms. The first one may be dead, because a browser that
 * ends a worker before its script runs reports nothing. Or the network is just slow. So the first to answer is kept.
 */
const SECOND_MS = 8000;

/** Time until a message that could not be sent is sent again, ms. */
const AGAIN_MS = 100;

export class Connection {
  /** The running workers: one, or two while the first does not answer. */
  readonly #lines = new Set<Line>();
  /** The worker that answered. */
  #line: Line | undefined;
  readonly #ready: Promise<Line>;
  readonly #pending = new Set<(error: MakemoreError) => void>();
  #timers: ReturnType<typeof setTimeout>[] = [];
  /** Functions that ask the worker to end a call; each stays until the worker has answered it. */
  readonly #untold = new Set<() => Promise<unknown>>();
  #ended = false;

  /**
   * Starts a worker.
   *
   * @param options of the `Makemore`, checked by the worker
   * @param onEnd called once, when the worker is gone for any reason
   * @throws MakemoreError `INVALID_OPTION` for an invalid URL, `LOAD_FAILED`
   */
  constructor(
    options: MakemoreOptions,
    readonly onEnd: (connection: Connection) => void,
  ) {
    const files = locateAssets(options);
    const first = this.#start(files);
    this.#ready = new Promise((resolve, reject) => {
      const configure = (line: Line) =>
        this.#configure(line, options, files).then(() => resolve(line), reject);
      configure(first);
      const impatient = () => {
        const what = `has not answered for ${PATIENCE_MS / 1000} s: the network is slow, or it is not this package's`;
        this.end(new MakemoreError("LOAD_FAILED", `The worker ${files.worker} ${what}. ${SERVE_TOGETHER}`));
      };
      const second = async () => configure(this.#start(files));
      this.#timers = [
        // If it cannot start, the first may still answer.
        setTimeout(() => second().catch(() => {}), SECOND_MS),
        setTimeout(impatient, PATIENCE_MS),
      ];
    });
    // The first call reports the failure; this only prevents an unhandled rejection.
    this.#ready.catch(() => {});
  }

  #start({ worker }: AssetURLs): Line {
    const line = new Line(worker, async (event) => {
      event.preventDefault();
      if (this.#line) {
        this.end(new MakemoreError("WORKER_FAILED", `The worker failed: ${event.message}.`));
        return;
      }
      line.end();
      this.#lines.delete(line);
      const why = event.message ? `${event.message}. ${SERVE_TOGETHER}` : await explainStartFailure(worker);
      // If a second worker has started, it may still answer.
      if (this.#lines.size === 0)
        this.end(new MakemoreError("LOAD_FAILED", `The worker ${worker} did not start: ${why}`));
    });
    this.#lines.add(line);
    return line;
  }

  async #configure(line: Line, options: MakemoreOptions, files: AssetURLs): Promise<void> {
    // The number is random, because no two workers of an origin may share a lock.
    const lockName = `makemore-web ${Math.random()}`;
    // A URL object cannot be cloned; `files` has the resolved URLs.
    const { workerURL: _, assetsURL: __, ...checked } = options;
    let outcome: Outcome<void>;
    try {
      outcome = await line.api.configure({ version, options: checked, files, lockName, measurements });
    } catch (error) {
      // An option cannot be cloned.
      this.end(new MakemoreError("INVALID_OPTION", `new Makemore: ${error}`));
      throw error;
    }
    this.#line = line;
    this.#stop(line);
    if ("error" in outcome) {
      const error = new MakemoreError(outcome.error.code, outcome.error.message);
      this.end(error);
      throw error;
    }
    // A killed worker sends no message, but releases its lock. If the browser refuses locks (in a sandboxed
    // frame, for example), the page does not notice its death.
    navigator.locks
      ?.request(lockName, () =>
        this.end(new MakemoreError("WORKER_FAILED", "The worker was killed; what it had learned is lost.")),
      )
      .catch(() => {});
  }

  /** Clears the timers, and ends all workers except the one to keep. */
  #stop(kept?: Line): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const line of this.#lines) if (line !== kept) line.end();
  }

  /**
   * Makes a call and unpacks its outcome.
   *
   * @throws MakemoreError the worker's error, or the reason why the worker is gone
   */
  async race<T>(call: (api: Remote<WorkerAPI>) => Promise<Outcome<T>>): Promise<T> {
    let reject: (error: MakemoreError) => void = () => {};
    const gone = new Promise<never>((_, r) => {
      reject = r;
    });
    this.#pending.add(reject);
    try {
      const send = (line: Line) => {
        // Ask before the call, because the call may have to wait for the ones that should end.
        for (const ask of this.#untold) ask();
        return call(line.api);
      };
      const outcome = await Promise.race([gone, this.#ready.then(send)]);
      if ("error" in outcome)
        throw new MakemoreError(outcome.error.code, outcome.error.message, outcome.error);
      return outcome.value;
    } catch (error) {
      if (error instanceof MakemoreError) throw error;
      // The worker checks the options, but values such as functions cannot be cloned to it.
      throw /^DataClone/.test(`${error}`)
        ? new MakemoreError("INVALID_OPTION", `An option cannot be sent to the worker: ${error}`)
        : new MakemoreError("WORKER_FAILED", `The worker failed: ${error}.`);
    } finally {
      this.#pending.delete(reject);
    }
  }

  /**
   * Asks a running call to end: at once, or softly. Asks again until the worker answers.
   *
   * @param left gets the model that an aborted call left, if that is the current one
   */
  async tell(ending: "abort" | "stop", id: number, left?: (model: ModelInfo) => void): Promise<void> {
    const line = this.#line;
    if (!line || this.#ended) return;
    const ask = async () => {
      const outcome = await line.api[ending](id).catch(() => delay(AGAIN_MS));
      // The outcome of a lost message is an error.
      if (!outcome || "error" in outcome) return;
      this.#untold.delete(ask);
      if (outcome.value) left?.(outcome.value);
    };
    this.#untold.add(ask);
    while (this.#untold.has(ask)) await ask();
  }

  /** Stops the worker and rejects all pending calls. Calling it again does nothing. */
  end(error: MakemoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#untold.clear();
    this.#stop();
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.onEnd(this);
  }
}

/** Path of the main file after Vite's dependency optimizer, which does not copy the worker. */
const OPTIMIZED = /\/deps\/makemore-web\/[^/]*$/;
const VITE_FIX = `Vite's optimizer left it behind: set optimizeDeps: { exclude: ["makemore-web"] } in its configuration.`;

/** Explains why a script did not start and how to fix it, because the browser's error event does not. */
async function explainStartFailure(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
  const { origin, pathname } = new URL(url);
  const fix = OPTIMIZED.test(pathname) ? VITE_FIX : SERVE_TOGETHER;
  // For another origin, the worker starts from a local one-line script that imports it.
  const needs =
    origin === self.origin ? "worker-src, script-src" : `worker-src and script-src need blob: and ${origin}`;
  const policy = `the page's Content-Security-Policy refuses it (${needs})`;
  if (!response) return `it cannot be reached, or ${policy}. ${fix}`;
  if (!response.ok) return `the server answered ${response.status}. ${fix}`;
  const type = response.headers.get("content-type");
  if (!/javascript/.test(type ?? "")) return `it is served as ${type}, not as JavaScript. ${fix}`;
  return `${policy}, or it is damaged.`;
}

/**
 * The connection to the worker, over comlink. A comlink call never settles when the worker dies, so all calls
 * go through `race`, which rejects them as soon as the worker is known to be gone.
 */
import { type Remote, wrap } from "comlink";
import { version } from "../package.json";
import { type AssetURLs, locateAssets, startWorker } from "./assetURLs";
import { lostMessage, MakemoreError, SERVE_TOGETHER } from "./errors";
import type { Measurements, Outcome, WorkerAPI } from "./protocol";
import type { MakemoreOptions } from "./types";

/** Benchmarks of all workers of this page, so that a second worker does not repeat those of the first. */
export const measurements: Measurements = new Map();

/** Timeout for the worker's first message, ms. */
const PATIENCE_MS = 60_000;
/** Timeout for the worker's list of what it runs, ms. */
const LIST_MS = 2000;

export class Connection {
  readonly #worker: Worker;
  readonly #api: Remote<WorkerAPI>;
  readonly #ready: Promise<void>;
  readonly #pending = new Set<(error: MakemoreError) => void>();
  readonly #impatience: ReturnType<typeof setTimeout>;
  /** Ids of comlink's requests without an answer. */
  readonly #unanswered = new Set<string>();
  /** Gives an answer to comlink. */
  #receive: (event: MessageEvent) => void = () => {};
  /** How often the worker was asked what it runs. */
  #lists = 0;
  /** Takes the worker's list of what it runs; undefined while nobody waits for one. */
  #takeList: ((running: readonly string[]) => void) | undefined;
  /** Whether a message was lost since the last list was asked for. */
  #isLost = false;
  #answered = false;
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
    this.#worker = startWorker(files.worker);
    const worker = this.#worker;
    this.#api = wrap<WorkerAPI>({
      // comlink adds one listener and keeps it.
      addEventListener: (_, listener) => {
        this.#receive = (event) => typeof listener === "function" && listener(event);
      },
      removeEventListener: () => {},
      postMessage: (request, transfer = []) => {
        worker.postMessage(request, transfer);
        // After sending: a request that cannot be cloned throws above and never gets an answer.
        this.#unanswered.add(request.id);
      },
    });
    this.#worker.onerror = async (event) => {
      event.preventDefault();
      this.end(
        this.#answered
          ? new MakemoreError("WORKER_FAILED", `The worker failed: ${event.message}.`)
          : new MakemoreError(
              "LOAD_FAILED",
              `The worker ${files.worker} did not start: ${event.message ? `${event.message}. ${SERVE_TOGETHER}` : await explainStartFailure(files.worker)}`,
            ),
      );
    };
    // Listen for the event, because Chromium's workers have no `onmessageerror` property.
    worker.addEventListener("messageerror", () => this.#findLost());
    worker.addEventListener("message", (event) => {
      const { data } = event;
      this.#unanswered.delete(data.id);
      if (data === "unreadable") this.#findLost();
      else if (data.list === this.#lists) this.#takeList?.(data.running);
      else this.#receive(event);
    });
    this.#impatience = setTimeout(() => {
      const what = `has not answered for ${PATIENCE_MS / 1000} s: the network is slow, or it is not this package's`;
      this.end(new MakemoreError("LOAD_FAILED", `The worker ${files.worker} ${what}. ${SERVE_TOGETHER}`));
    }, PATIENCE_MS);
    this.#ready = this.#configure(options, files);
    // The first call reports the failure; this only prevents an unhandled rejection.
    this.#ready.catch(() => {});
  }

  async #configure(options: MakemoreOptions, files: AssetURLs): Promise<void> {
    const lockName = `makemore-web ${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    // A URL object cannot be cloned; `files` has the resolved URLs.
    const { workerURL: _, assetsURL: __, ...checked } = options;
    let outcome: Outcome<void>;
    try {
      outcome = await this.#api.configure({ version, options: checked, files, lockName, measurements });
    } catch (error) {
      // An option cannot be cloned.
      this.end(new MakemoreError("INVALID_OPTION", `new Makemore: ${error}`));
      throw error;
    }
    clearTimeout(this.#impatience);
    this.#answered = true;
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
      const outcome = await Promise.race([gone, this.#ready.then(() => call(this.#api))]);
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

  /** Asks a running call to end: at once, or softly. */
  async tell(ending: "abort" | "stop", id: number): Promise<void> {
    // The outcome of a lost message is an error: send it again.
    while ((await this.#api[ending](id).catch(() => {})) !== undefined);
  }

  /**
   * Fails the requests that are lost, or whose answers are. A lost message does not say whose it was, but messages
   * arrive in order: what has no answer when the worker's list comes, and is not in it, is lost.
   */
  async #findLost(): Promise<void> {
    this.#isLost = true;
    if (this.#takeList) return;
    const { code, message } = lostMessage();
    while (this.#isLost && !this.#ended) {
      this.#isLost = false;
      const before = [...this.#unanswered];
      const running = await new Promise<readonly string[]>((resolve) => {
        this.#takeList = resolve;
        // The list may be lost as well.
        setTimeout(resolve, LIST_MS, []);
        this.#worker.postMessage({ list: ++this.#lists });
      }).catch((): string[] => []);
      for (const id of before)
        if (!running.includes(id) && this.#unanswered.delete(id))
          this.#receive(
            new MessageEvent("message", { data: { id, type: "RAW", value: { error: { code, message } } } }),
          );
    }
    this.#takeList = undefined;
  }

  /** Stops the worker and rejects all pending calls. Calling it again does nothing. */
  end(error: MakemoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#impatience);
    this.#worker.onerror = null;
    this.#worker.terminate();
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

/**
 * A worker, and its API over comlink. A comlink call never settles if its message is lost, for example because memory ran
 * out. So this rejects the calls whose messages are lost.
 */
import { type Remote, releaseProxy, wrap } from "comlink";
import { startWorker } from "./assetURLs";
import { lostMessage } from "./errors";
import type { WorkerAPI } from "./protocol";

/** Timeout for the worker's list of what it runs, ms. */
const LIST_MS = 2000;

export class Line {
  readonly api: Remote<WorkerAPI>;
  readonly #worker: Worker;
  /** Ids of comlink's requests without an answer. */
  readonly #unanswered = new Set<string>();
  /** Passes a message of the worker to comlink. */
  #receive: (event: MessageEvent) => void = () => {};
  /** How often the worker was asked what it runs. */
  #lists = 0;
  /** Takes the worker's list of what it runs; undefined while nobody waits for one. */
  #takeList: ((running: readonly string[]) => void) | undefined;
  /** Whether a message was lost since the last list was asked for. */
  #isLost = false;
  #isEnded = false;

  /**
   * Starts a worker.
   *
   * @throws MakemoreError `LOAD_FAILED` if the browser refuses synchronously
   */
  constructor(url: string, onError: (event: ErrorEvent) => void) {
    const worker = startWorker(url);
    this.#worker = worker;
    worker.onerror = onError;
    this.api = wrap<WorkerAPI>({
      // comlink adds one listener and keeps it.
      addEventListener: (_, listener) => {
        this.#receive = (event) => typeof listener === "function" && listener(event);
      },
      removeEventListener: () => {},
      postMessage: (request, transfer = []) => {
        if (this.#isEnded) return;
        worker.postMessage(request, transfer);
        // After sending: a request that cannot be cloned throws above and never gets an answer.
        this.#unanswered.add(request.id);
      },
    });
    // Listen for the event, because Chromium's workers have no `onmessageerror` property.
    worker.addEventListener("messageerror", () => this.#findLost());
    worker.addEventListener("message", (event) => {
      const { data } = event;
      this.#unanswered.delete(data.id);
      if (data === "unreadable") this.#findLost();
      else if (data.list === this.#lists) this.#takeList?.(data.running);
      else this.#receive(event);
    });
  }

  /** Ends the worker. Calls in flight never settle. Do not call it again. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isLost = false;
    this.#worker.onerror = null;
    this.#worker.terminate();
    // Otherwise comlink's registry of proxies keeps this line and its worker in memory for ever.
    this.api[releaseProxy]();
  }

  /**
   * Fails the requests that are lost, or whose answers are. A lost message does not say to which request it belonged. So
   * this asks the worker what it runs. Messages arrive in order: when the list comes, a request that has no answer and is
   * not on the list is lost.
   */
  async #findLost(): Promise<void> {
    this.#isLost = true;
    if (this.#takeList) return;
    const { code, message } = lostMessage();
    while (this.#isLost) {
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
}

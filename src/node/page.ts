/**
 * What a browser gives a page and Node does not. The build of dist/node.js puts these exports in place of the
 * globals of the same names (tsup.config.ts), so the rest of src/ is the same for both.
 *
 * Importing this does nothing: servers import the package only to render pages. Node's modules come from
 * `process.getBuiltinModule`, because bundlers for servers would follow an `import`.
 */
import threadStart from "./threadStart?script";

export const document = {
  /** Relative URLs in options start at the working directory. */
  get baseURI(): string {
    return process.getBuiltinModule("node:url").pathToFileURL(`${process.cwd()}/`).href;
  },
};

/** The origin of file: URLs. */
export const self = { origin: "null" };

/** No locks: a thread that ends tells its `Worker`. */
export const navigator: { locks?: LockManager } = {};

/** What comlink's requests and answers have in common. */
interface Message {
  id?: string;
}

type Failed = (event: { message: string; preventDefault(): void }) => void;

/** A thread with the interface of a browser's `Worker`. It keeps the process alive only while it owes an answer. */
export class Worker extends EventTarget {
  onerror: Failed | null = null;
  onmessageerror: (() => void) | null = null;
  readonly #thread: import("node:worker_threads").Worker;
  /** Ids of requests without an answer. */
  readonly #unanswered = new Set<string>();

  /** @param url of the worker script: a file: URL, or whatever else the runtime imports */
  constructor(url: string) {
    super();
    const { Worker: Thread } = process.getBuiltinModule("node:worker_threads");
    this.#thread = new Thread(threadStart, {
      eval: true,
      workerData: url,
      // The process's own (--import, --input-type) are for the user's files.
      execArgv: [],
    });
    const failed = (message: string) => this.onerror?.({ message, preventDefault: () => {} });
    this.#thread.on("message", (data: Message) => {
      if (data.id !== undefined) this.#unanswered.delete(data.id);
      if (this.#unanswered.size === 0) this.#thread.unref();
      this.dispatchEvent(new MessageEvent("message", { data }));
    });
    this.#thread.on("messageerror", () => this.onmessageerror?.());
    this.#thread.on("error", (error) => failed(error instanceof Error ? error.message : String(error)));
    this.#thread.on("exit", (code) => failed(`its thread ended with code ${code}`));
  }

  postMessage(message: Message, transfer: import("node:worker_threads").Transferable[]): void {
    this.#thread.postMessage(message, transfer);
    // After it was sent: what cannot be cloned throws, and nobody answers.
    if (message.id !== undefined) this.#unanswered.add(message.id);
    this.#thread.ref();
  }

  terminate(): void {
    void this.#thread.terminate();
  }
}

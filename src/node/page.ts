/**
 * Replacements for the globals of a page that Node lacks. The build of dist/node.js replaces the globals of the
 * same names by these exports (tsup.config.ts), so the rest of src/ is the same for both.
 *
 * Importing this file has no side effects, because servers import the package only to render pages. Node's modules
 * come from `process.getBuiltinModule`, because bundlers for servers would resolve an `import`.
 */
import threadStart from "./threadStart?script";

export const document = {
  /** Base of relative URLs in options: the working directory. */
  get baseURI(): string {
    return process.getBuiltinModule("node:url").pathToFileURL(`${process.cwd()}/`).href;
  },
};

/** The origin of file: URLs. */
export const self = { origin: "null" };

/** Has no locks; they are not needed, because `Worker` reports the end of its thread. */
export const navigator: { locks?: LockManager } = {};

/** Fields that comlink's requests and answers share. */
interface Message {
  id?: string;
}

type Failed = (event: { message: string; preventDefault(): void }) => void;

/** A thread with the interface of a browser's `Worker`. It keeps the process alive only while a call is pending. */
export class Worker extends EventTarget {
  onerror: Failed | null = null;
  readonly #thread: import("node:worker_threads").Worker;
  /** Ids of requests without an answer. */
  readonly #unanswered = new Set<string>();

  /** @param url of the worker script: a file: URL, or any other URL that the runtime can import */
  constructor(url: string) {
    super();
    const { Worker: Thread } = process.getBuiltinModule("node:worker_threads");
    this.#thread = new Thread(threadStart, {
      eval: true,
      workerData: url,
      // Do not inherit the process's options (--import, --input-type), which are for the user's files.
      execArgv: [],
    });
    const failed = (message: string) => this.onerror?.({ message, preventDefault: () => {} });
    this.#thread.on("message", (data: Message) => {
      if (data.id !== undefined) this.#unanswered.delete(data.id);
      if (this.#unanswered.size === 0) this.#thread.unref();
      this.dispatchEvent(new MessageEvent("message", { data }));
    });
    this.#thread.on("messageerror", () => this.dispatchEvent(new Event("messageerror")));
    this.#thread.on("error", (error) => failed(error instanceof Error ? error.message : String(error)));
    this.#thread.on("exit", (code) => failed(`its thread ended with code ${code}`));
  }

  postMessage(message: Message, transfer: import("node:worker_threads").Transferable[]): void {
    this.#thread.postMessage(message, transfer);
    // After sending: a message that cannot be cloned throws above and never gets an answer.
    if (message.id !== undefined) this.#unanswered.add(message.id);
    this.#thread.ref();
  }

  terminate(): void {
    void this.#thread.terminate();
  }
}

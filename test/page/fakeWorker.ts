import { expose } from "comlink";
import type { WorkerAPI } from "../../src/protocol";

/** Answers `sample` with words. */
export function sampling(words: string[]): WorkerAPI["sample"] {
  return async (_id, _options, _count, _novel, onPart) => {
    await onPart(words);
    return { value: undefined };
  };
}

/** A Worker whose other side is an object in this thread: real comlink, real structured clones. */
export class FakeWorker extends EventTarget implements Worker {
  static instances: FakeWorker[] = [];
  /** What the next worker answers with. */
  static api: Partial<WorkerAPI> = {};
  onmessage: Worker["onmessage"] = null;
  /** Of the interface alone: Chromium's workers do not have it. */
  readonly onmessageerror = null;
  onerror: Worker["onerror"] = null;
  terminated = false;
  readonly #port: MessagePort;

  constructor(
    readonly url: string | URL,
    readonly options?: WorkerOptions,
  ) {
    super();
    FakeWorker.instances.push(this);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = (event) => {
      if (!this.terminated) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
    };
    expose({ configure: async () => ({ value: undefined }), abort: () => {}, ...FakeWorker.api }, port2);
  }

  postMessage(message: unknown, transfer: Transferable[] | StructuredSerializeOptions = []): void {
    if (!this.terminated) this.#port.postMessage(message, Array.isArray(transfer) ? transfer : []);
  }

  terminate(): void {
    this.terminated = true;
    this.#port.close();
  }

  /** As a browser says that a script did not load, or threw. */
  fail(message: string): void {
    this.onerror?.call(
      this,
      Object.assign(new Event("error", { cancelable: true }), { message }) as ErrorEvent,
    );
  }
}

import { expose } from "comlink";
import type { WorkerAPI } from "../../src/protocol";
import { pageEndpoint } from "../../worker/endpoint";

/** Makes a `sample` that answers with these words. */
export function sampling(words: string[]): WorkerAPI["sample"] {
  return async (_id, _options, _count, _novel, onPart) => {
    await onPart(words);
    return { value: undefined };
  };
}

/** Makes an `abort` or a `stop` that does something and answers. */
export function ending(act: (id: number) => unknown): (id: number) => Promise<{ value: undefined }> {
  return async (id) => {
    act(id);
    return { value: undefined };
  };
}

/** A Worker whose API is an object in this thread, with real comlink and real structured clones. */
export class FakeWorker extends EventTarget implements Worker {
  static instances: FakeWorker[] = [];
  /** The API of the next worker. */
  static api: Partial<WorkerAPI> = {};
  onmessage: Worker["onmessage"] = null;
  /** Required by TypeScript's interface; Chromium's workers do not have it. */
  readonly onmessageerror = null;
  onerror: Worker["onerror"] = null;
  terminated = false;
  /** The next message to or of the worker cannot be read, or none can. */
  lose: "request" | "answer" | "all" | undefined;
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
      if (!this.terminated) this.dispatchEvent(this.#received("answer", event.data));
    };
    // Node's ports take no events of happy-dom.
    const inside = Object.assign(new EventTarget(), {
      postMessage: (message: unknown, transfer: Transferable[] = []) => port2.postMessage(message, transfer),
    });
    port2.onmessage = (event) => {
      inside.dispatchEvent(this.#received("request", event.data));
    };
    const configure = async () => ({ value: undefined });
    const api = { configure, abort: ending(() => {}), ...FakeWorker.api };
    expose(api, pageEndpoint(inside));
  }

  #received(kind: "request" | "answer", data: unknown): MessageEvent {
    const isLost = this.lose === kind || this.lose === "all";
    if (this.lose === kind) this.lose = undefined;
    return new MessageEvent(isLost ? "messageerror" : "message", { data });
  }

  postMessage(message: unknown, transfer: Transferable[] | StructuredSerializeOptions = []): void {
    if (!this.terminated) this.#port.postMessage(message, Array.isArray(transfer) ? transfer : []);
  }

  terminate(): void {
    this.terminated = true;
    this.#port.close();
  }

  /** Fires the event of a script that did not load, or that threw. */
  fail(message: string): void {
    this.onerror?.call(
      this,
      Object.assign(new Event("error", { cancelable: true }), { message }) as ErrorEvent,
    );
  }
}

/** The worker script: exposes one session to the page over comlink. */
import { type Endpoint, expose, type TransferHandler, transferHandlers } from "comlink";
import { Session } from "./session";

// The types of this repository are a page's; a worker's global scope is an endpoint.
const page = globalThis as unknown as Endpoint;

/** Tells the page that one of its calls may wait in vain. If that fails, too, the error ends the worker. */
function tellUnreadable(): void {
  page.postMessage("unreadable");
}
page.addEventListener("messageerror", tellUnreadable);
// comlink's own, which every version of it has. It makes the page's callbacks, whose answers may be lost as well.
const callbacks = transferHandlers.get("proxy") as TransferHandler<unknown, MessagePort>;
transferHandlers.set("proxy", {
  ...callbacks,
  deserialize(port: MessagePort) {
    port.onmessageerror = tellUnreadable;
    const post = port.postMessage.bind(port);
    // A release is answered, which nobody needs: that it gets lost would look like a loss of one of the calls.
    port.postMessage = (message, transfer) =>
      message.type === "RELEASE" ? port.close() : post(message, transfer as Transferable[]);
    return callbacks.deserialize(port);
  },
});

expose(new Session(), {
  addEventListener: page.addEventListener.bind(page),
  removeEventListener: page.removeEventListener.bind(page),
  /** An answer that cannot be sent, because memory ran out, is replaced by the reason. */
  postMessage(answer, transfer) {
    try {
      page.postMessage(answer, transfer);
    } catch (cause) {
      const error = { code: "WORKER_FAILED", message: `The answer cannot be sent to the page: ${cause}.` };
      try {
        page.postMessage({ id: answer.id, type: "RAW", value: { error } });
      } catch (unsendable) {
        // Outside of comlink, which would swallow it: the page hears of it, and rejects the call.
        setTimeout(() => {
          throw unsendable;
        });
      }
    }
  },
});

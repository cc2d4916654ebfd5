/** The worker script: exposes one session to the page over comlink. */
import { type Endpoint, expose, type TransferHandler, transferHandlers } from "comlink";
import { pageEndpoint } from "./endpoint";
import { Session } from "./session";

// comlink's own, which every version of it has. It makes the page's callbacks, whose answers may be lost as well.
const callbacks = transferHandlers.get("proxy") as TransferHandler<unknown, MessagePort>;
transferHandlers.set("proxy", {
  ...callbacks,
  deserialize(port: MessagePort) {
    const post = port.postMessage.bind(port);
    // If that fails, too, the error ends the worker.
    port.onmessageerror = () => post("unreadable");
    // A release is answered, which nobody needs: that it gets lost would look like a loss of one of the calls.
    port.postMessage = (message, transfer) =>
      message.type === "RELEASE" ? port.close() : post(message, transfer as Transferable[]);
    return callbacks.deserialize(port);
  },
});

// The types of this repository are a page's; a worker's global scope is an endpoint.
expose(new Session(), pageEndpoint(globalThis as unknown as Endpoint));

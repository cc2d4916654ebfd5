/** The worker script: exposes one session to the page over comlink. */
import { type Endpoint, expose, type TransferHandler, transferHandlers } from "comlink";
import { pageEndpoint } from "./endpoint";
import { Session } from "./session";

// comlink always registers this handler. It makes the page's callbacks, whose answers may be lost, too.
const callbacks = transferHandlers.get("proxy") as TransferHandler<unknown, MessagePort>;
transferHandlers.set("proxy", {
  ...callbacks,
  deserialize(port: MessagePort) {
    const post = port.postMessage.bind(port);
    // If that fails, too, the error ends the worker.
    port.onmessageerror = () => post("unreadable");
    // Close the port instead of releasing it: comlink would answer the release, and a lost answer would look like that of
    // a call.
    port.postMessage = (message, transfer) =>
      message.type === "RELEASE" ? port.close() : post(message, transfer as Transferable[]);
    return callbacks.deserialize(port);
  },
});

// The types of this repository are a page's; a worker's global scope is an endpoint.
expose(new Session(), pageEndpoint(globalThis as unknown as Endpoint));

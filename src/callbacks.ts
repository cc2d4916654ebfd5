/**
 * The page's callbacks in the worker. comlink answers each of them over its own port. It does not notice a message that
 * cannot be read, or an answer that cannot be sent, for example because memory ran out. The worker would wait forever
 * for the answer.
 */
import { expose, type ProxyMarked, proxy, type TransferHandler, transferHandlers } from "comlink";
import { lostMessage } from "./errors";

const stops = new WeakMap<object, AbortController>();

/**
 * Marks a function to be called by the worker.
 *
 * @param stop of the call that it belongs to: aborted when a message of the callback is lost
 */
export function callback<F extends object>(call: F, stop: AbortController): F & ProxyMarked {
  stops.set(call, stop);
  return proxy(call);
}

// comlink always registers this handler.
const proxies = transferHandlers.get("proxy") as TransferHandler<object, MessagePort>;
transferHandlers.set("proxy", {
  ...proxies,
  serialize(call: object) {
    const { port1, port2 } = new MessageChannel();
    const lost = () => stops.get(call)?.abort(lostMessage());
    const post = port1.postMessage.bind(port1);
    port1.onmessageerror = lost;
    port1.addEventListener("message", ({ data }) => data === "unreadable" && lost());
    port1.postMessage = (answer: unknown) => {
      try {
        post(answer);
      } catch {
        lost();
      }
    };
    expose(call, port1);
    return [port2, [port2]];
  },
});

/**
 * Detects lost messages of the page's callbacks. comlink answers each callback over its own port. It does not notice a
 * message that cannot be read, or an answer that cannot be sent, for example because memory ran out. The worker would
 * wait forever for the answer.
 */
import { expose, type TransferHandler, transferHandlers } from "comlink";

/** @param tell called when a message of any callback is lost */
export function watchCallbacks(tell: () => void): void {
  // comlink always registers this handler.
  const proxies = transferHandlers.get("proxy") as TransferHandler<unknown, MessagePort>;
  transferHandlers.set("proxy", {
    ...proxies,
    serialize(callback) {
      const { port1, port2 } = new MessageChannel();
      const post = port1.postMessage.bind(port1);
      port1.onmessageerror = tell;
      port1.postMessage = (answer: unknown) => {
        try {
          post(answer);
        } catch {
          tell();
        }
      };
      expose(callback, port1);
      return [port2, [port2]];
    },
  });
}

/**
 * The page's callbacks. comlink answers each over a port of its own, and does not notice a message that cannot be
 * read, or an answer that cannot be sent, because memory ran out, say. The worker would wait for it for ever.
 */
import { expose, type TransferHandler, transferHandlers } from "comlink";

/** @param tell is told of a message of a callback that is lost */
export function watchCallbacks(tell: () => void): void {
  // comlink's own, which every version of it has.
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

/**
 * Callbacks across the thread. comlink answers them over a port each, and does not notice a message that cannot be
 * read, or an answer that cannot be sent, because memory ran out, say. Whoever waits for it would wait for ever.
 */
import { expose, type TransferHandler, transferHandlers, wrap } from "comlink";

/** @param tell is told of a message that is lost, on either side of a callback */
export function watchCallbacks(tell: () => void): void {
  const watched = (port: MessagePort) => {
    port.onmessageerror = tell;
    return port;
  };
  const proxies = transferHandlers.get("proxy");
  if (!proxies) return;
  const handler: TransferHandler<unknown, MessagePort> = {
    canHandle: (value): value is unknown => proxies.canHandle(value),
    serialize(callback) {
      const { port1, port2 } = new MessageChannel();
      const post = port1.postMessage.bind(port1);
      port1.postMessage = (answer: unknown) => {
        try {
          // A callback's answer is small: it says that a part was taken.
          post(answer);
        } catch {
          tell();
        }
      };
      expose(callback, watched(port1));
      return [port2, [port2]];
    },
    deserialize(port) {
      watched(port).start();
      return wrap(port);
    },
  };
  transferHandlers.set("proxy", handler);
}

/**
 * Callbacks across the thread. comlink answers them over a port each, and does not notice a message that arrives but
 * cannot be read, because memory ran out, say. Whoever waits for it would wait for ever.
 */
import { expose, type TransferHandler, transferHandlers, wrap } from "comlink";

/** @param tell is told of a message that cannot be read, on either side of a callback */
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

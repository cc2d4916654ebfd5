import type { Endpoint } from "comlink";

/**
 * Makes comlink's endpoint of the line to the page. The page hears of messages that are lost, in either direction, so
 * that no call waits in vain: src/connection.ts finds out whose they were.
 */
export function pageEndpoint(page: Endpoint): Endpoint {
  /** Ids of the page's requests without an answer. */
  const running = new Set<string>();
  const addEventListener = page.addEventListener.bind(page);
  addEventListener("messageerror", () => page.postMessage("unreadable"));
  addEventListener("message", (event) => {
    const { id, list } = (event as MessageEvent<{ id?: string; list?: number }>).data;
    if (id !== undefined) running.add(id);
    if (list !== undefined) page.postMessage({ list, running: [...running] });
  });
  return {
    addEventListener,
    removeEventListener: page.removeEventListener.bind(page),
    /** An answer that cannot be sent, because memory ran out, is replaced by the reason. */
    postMessage(answer, transfer) {
      running.delete(answer.id);
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
  };
}

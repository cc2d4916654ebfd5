import type { Endpoint } from "comlink";

/**
 * Makes comlink's endpoint for the messages to and from the page. It tells the page about lost messages in both directions,
 * so that no call waits forever: src/line.ts finds the call of a lost message.
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
    /** Replaces an answer that cannot be sent, for example because memory ran out, by the reason. */
    postMessage(answer, transfer) {
      running.delete(answer.id);
      try {
        page.postMessage(answer, transfer);
      } catch (cause) {
        const error = { code: "WORKER_FAILED", message: `The answer cannot be sent to the page: ${cause}.` };
        try {
          page.postMessage({ id: answer.id, type: "RAW", value: { error } });
        } catch (unsendable) {
          // Throw outside of comlink, which would catch the error. The page gets an error event, and rejects the call.
          setTimeout(() => {
            throw unsendable;
          });
        }
      }
    },
  };
}

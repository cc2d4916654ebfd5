/** Comes before the package's own script in the worker that the tests serve. */
import { Control } from "./control";
import { addUnreadable, type Held, inject } from "./inject";

/** What the page sends first, before any message of the package. */
export interface Introduction {
  readonly torture: {
    readonly memory: SharedArrayBuffer;
    readonly port: MessagePort;
    readonly clock: number;
  };
}

/** What it answers on the port. */
export interface WorkerNews {
  readonly held: Held;
  readonly troubles: string[];
}

const { postMessage } = MessagePort.prototype;
const injection = inject();
const troubles: string[] = [];
addEventListener("unhandledrejection", ({ reason }) => troubles.push(`unhandled in the worker: ${reason}`));

addEventListener("message", (event: MessageEvent<Partial<Introduction> | undefined>) => {
  const introduction = event.data?.torture;
  if (!introduction) return;
  event.stopImmediatePropagation();
  const { memory, port, clock } = introduction;
  injection.control = new Control(memory);
  if (clock !== 1) {
    const now = performance.now.bind(performance);
    performance.now = () => now() * clock;
    const timeout = setTimeout;
    const wait = (call: () => void, ms = 0) => timeout(call, ms / clock);
    Object.assign(globalThis, { setTimeout: wait });
  }
  // Not `onmessage`, which is wrapped.
  EventTarget.prototype.addEventListener.call(port, "message", (question) => {
    if (question instanceof MessageEvent && question.data === "lose") injection.lose();
    const news: WorkerNews = { held: injection.held(), troubles: troubles.splice(0) };
    postMessage.call(port, news);
  });
  port.start();
});
addUnreadable(globalThis, (operation) => injection.control?.hit(operation));

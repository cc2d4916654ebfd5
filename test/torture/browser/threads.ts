/** The workers of the page under test: counted, told of the faults, and ended behind the package's back. */
import { Control } from "./control";
import { addUnreadable, type Held, inject } from "./inject";
import type { Introduction, WorkerNews } from "./worker";

/** How long a worker may take to say what it holds, ms. */
const ANSWER_MS = 2000;

// Before anything is wrapped: the test's own messages are no operations.
const post = { port: MessagePort.prototype.postMessage, worker: Worker.prototype.postMessage };
const { terminate } = Worker.prototype;
const RealWorker = Worker;

/** The faults of this page and of its workers. */
export const control = new Control();
const injection = inject();
injection.control = control;

/** Workers that run, and the line to each. */
export const workers = new Map<Worker, MessagePort>();

/** How fast the clock of new workers goes: 20 brings the save of every two seconds after a tenth of one. */
export const clock = { rate: 1 };

globalThis.Worker = new Proxy(RealWorker, {
  construct(_, [url, options]: [string | URL, WorkerOptions]) {
    const manner = control.hit("worker");
    if (manner === "refused") throw new DOMException("Refused by the test.", "SecurityError");
    const worker = new RealWorker(manner === "broken" ? "/missing.js" : url, options);
    const { port1, port2 } = new MessageChannel();
    const introduction: Introduction = {
      torture: { memory: control.memory, port: port2, clock: clock.rate },
    };
    Reflect.apply(post.worker, worker, [introduction, [port2]]);
    workers.set(worker, port1);
    addUnreadable(worker, (operation) => control.hit(operation));
    return worker;
  },
});
RealWorker.prototype.terminate = function (this: Worker) {
  workers.get(this)?.close();
  workers.delete(this);
  terminate.call(this);
};

/** Ends a worker as a browser that is short of memory does: nobody is told. */
export function kill(worker: Worker): void {
  terminate.call(worker);
}

const troubles: string[] = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  troubles.push(`unhandled in the page: ${event.reason}`);
});
addEventListener("error", (event) => {
  troubles.push(`error in the page: ${event.message}`);
});

/** Waits. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits for something, but not for ever.
 *
 * @throws Error that says what it waited for
 */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  const late = delay(ms).then(() => {
    throw new Error(`${what} takes more than ${ms} ms`);
  });
  return Promise.race([promise, late]);
}

/** Asks a worker; undefined if it does not answer. */
function ask(port: MessagePort, question: "look" | "lose"): Promise<WorkerNews | undefined> {
  return new Promise((resolve) => {
    EventTarget.prototype.addEventListener.call(
      port,
      "message",
      (event) => event instanceof MessageEvent && resolve(event.data),
      { once: true },
    );
    port.start();
    post.port.call(port, question);
    setTimeout(resolve, ANSWER_MS);
  });
}

/**
 * What page and workers hold, and what went wrong in them unseen.
 *
 * @param apart workers that are not asked
 */
export async function look(apart?: ReadonlySet<Worker>): Promise<{ held: Held; troubles: string[] }> {
  const found = { held: injection.held(), troubles: troubles.splice(0) };
  for (const [worker, port] of workers) {
    if (apart?.has(worker)) continue;
    const got = await ask(port, "look");
    if (!got) continue;
    found.troubles.push(...got.troubles);
    for (const key of Object.keys(got.held) as (keyof Held)[]) found.held[key] += got.held[key];
  }
  return found;
}

/** Takes the GPU away from all workers. */
export async function loseGPU(): Promise<void> {
  for (const port of workers.values()) await ask(port, "lose");
}

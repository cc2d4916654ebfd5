/**
 * The page under test. `torture.run` does one case: a scenario with one fault; then it looks at all that must hold
 * after it, whatever the fault was.
 */
import type { Makemore as MakemoreClass, MakemoreError, ModelInfo } from "../../../src";
import { Control, type Fault, type Operation } from "./control";
import { addUnreadable, type Held, inject } from "./inject";
import { type Given, hash, type ModelName, type Scenario, scenarios } from "./scenarios";
import type { Introduction } from "./worker";

/** A call that has not settled by then hangs, ms. */
const HANG_MS = 10_000;
/** The same where a software GPU compiles the kernels, which takes seconds each time. */
const SLOW_MS = 60_000;
/** How long workers and locks may take to be gone, ms. */
const GONE_MS = 3000;

/** What a case came to. */
export interface Report {
  /** Whether the fault came at all. */
  readonly fired: boolean;
  /** What the call came to: `"same"`, `"other engine"` or the error's code. */
  readonly outcome: string;
  readonly message: string;
  /** What does not hold; none if all is well. */
  readonly faults: string[];
}

/** Operations of a scenario that runs without a fault, and how long it took, ms. */
export interface Rehearsal {
  readonly counts: Partial<Record<Operation, number>>;
  readonly ms: number;
}

// Before anything is wrapped: the test's own messages are no operations.
const post = { port: MessagePort.prototype.postMessage, worker: Worker.prototype.postMessage };
const terminate = Worker.prototype.terminate;
const RealWorker = Worker;
const control = new Control();
const injection = inject();
injection.control = control;

/** Workers that run, and the line to each. */
const workers = new Map<Worker, MessagePort>();
let clock = 1;

globalThis.Worker = new Proxy(RealWorker, {
  construct(_, [url, options]: [string | URL, WorkerOptions]) {
    const manner = control.hit("worker");
    if (manner === "refused") throw new DOMException("Refused by the test.", "SecurityError");
    const worker = new RealWorker(manner === "broken" ? "/missing.js" : url, options);
    const { port1, port2 } = new MessageChannel();
    const introduction: Introduction = { torture: { memory: control.memory, port: port2, clock } };
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

const troubles: string[] = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  troubles.push(`unhandled in the page: ${event.reason}`);
});
addEventListener("error", (event) => {
  troubles.push(`error in the page: ${event.message}`);
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What all workers hold, and what went wrong in them unseen. */
async function look(): Promise<{ held: Held; troubles: string[] }> {
  const found: { held: Held; troubles: string[] } = { held: injection.held(), troubles: troubles.splice(0) };
  for (const port of workers.values()) {
    const answer = new Promise<{ held: Held; troubles: string[] } | undefined>((resolve) => {
      EventTarget.prototype.addEventListener.call(
        port,
        "message",
        (event) => event instanceof MessageEvent && resolve(event.data),
        { once: true },
      );
      port.start();
      post.port.call(port, "look");
      setTimeout(resolve, 2000);
    });
    const got = await answer;
    if (!got) continue;
    found.troubles.push(...got.troubles);
    for (const key of Object.keys(got.held) as (keyof Held)[]) found.held[key] += got.held[key];
  }
  return found;
}

/** A signal of which the listeners are counted. */
function countedSignal(): { signal: AbortSignal; listeners: () => number } {
  const { signal } = new AbortController();
  let count = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove.apply(signal, args);
  };
  return { signal, listeners: () => count };
}

type Settled = { value: unknown } | { error: unknown } | { hangs: true };

function settled(promise: Promise<unknown>, ms = HANG_MS): Promise<Settled> {
  return Promise.race([
    promise.then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
    delay(ms).then(() => ({ hangs: true as const })),
  ]);
}

function isMakemoreError(error: unknown): error is MakemoreError {
  return error instanceof Error && error.name === "MakemoreError" && "code" in error;
}

/** What each scenario gives, and what its worker holds after it, without a fault. */
const expected = new Map<string, { value: unknown; held: Held }>();
let Makemore: typeof MakemoreClass;
let given: Omit<Given, "signal">;
/** What the models of the files say. */
const samples = new Map<ModelName, string>();

async function sampleOf(mm: MakemoreClass): Promise<string> {
  return (await mm.sample(6, { seed: 3 })).join();
}

/** Makes the files that scenarios begin with. */
async function prepare(words: readonly string[]): Promise<void> {
  ({ Makemore } = (await import(/* @vite-ignore */ `${location.origin}/dist/index.js`)) as {
    Makemore: typeof MakemoreClass;
  });
  const mm = new Makemore({ backend: "wasm" });
  const file = async (name: ModelName, model: object) => {
    await mm.train(words, { steps: 6, batchSize: 4, keepBest: false, model });
    samples.set(name, await sampleOf(mm));
    return mm.exportONNX();
  };
  const sizes = { embedding: 2, hidden: 4 };
  const files = { window: await file("window", sizes), word: await file("word", { type: "gru", ...sizes }) };
  mm.dispose();
  given = { Makemore, words, files };
}

/** Has started ONNX Runtime, which takes a second: scenarios share it unless they begin in a cold worker. */
let warm: MakemoreClass | undefined;

async function begin({ backend, model, isCold }: Scenario): Promise<MakemoreClass> {
  if (isCold) {
    const mm = new Makemore({ backend: backend ?? "wasm" });
    if (model) await mm.load(given.files[model], { words: given.words });
    return mm;
  }
  warm ??= new Makemore({ backend: "wasm" });
  await warm.load(given.files[model ?? "window"], { words: given.words });
  return warm;
}

/** Ends a Makemore that is not shared, or that is not to be shared any more. */
function end(mm: MakemoreClass, isSpent: boolean): void {
  if (mm === warm && !isSpent) return;
  if (mm === warm) warm = undefined;
  mm.dispose();
}

/** What the model of a Makemore is, without ONNX Runtime. */
async function fileOf(mm: MakemoreClass): Promise<number> {
  return hash(await mm.exportONNX());
}

function scenario(name: string): Scenario {
  const found = scenarios[name];
  if (!found) throw new Error(`There is no scenario ${name}.`);
  return found;
}

/** Runs a scenario twice without a fault: what it counts, gives, and holds. */
async function rehearse(name: string): Promise<Rehearsal> {
  const tested = scenario(name);
  const { act, clean } = tested;
  const mm = await begin(tested);
  const { signal } = countedSignal();
  const started = performance.now();
  control.arm();
  const value = await act(mm, { ...given, signal });
  control.disarm();
  const ms = performance.now() - started;
  const counts = control.counts();
  await clean?.({ ...given, signal });
  if (!tested.isSlow) await act(mm, { ...given, signal });
  if (!tested.isCold) await sampleOf(mm);
  expected.set(name, { value, held: (await look()).held });
  await clean?.({ ...given, signal });
  end(mm, false);
  return { counts, ms };
}

/** Results are the same, or those of another engine up to rounding. */
function compare(value: unknown, before: unknown): string {
  if (JSON.stringify(value) === JSON.stringify(before)) return "same";
  const [a, b] = [value, before] as { backend?: string; losses?: number[]; notices?: string[] }[];
  if (!a?.losses || !b?.losses) return `another value: ${JSON.stringify(value)}`;
  if (a.losses.length !== b.losses.length) return `${a.losses.length} losses instead of ${b.losses.length}`;
  // The engines' numbers agree to rounding, which a few steps do not make larger than this.
  const far = a.losses.findIndex((loss, i) => !(Math.abs(loss - (b.losses?.[i] ?? 0)) < 1e-3));
  if (far >= 0) return `another loss of step ${far}: ${a.losses[far]} instead of ${b.losses[far]}`;
  if (JSON.stringify(a.notices) === JSON.stringify(b.notices))
    return "same but for rounding, without a notice";
  return a.backend === b.backend ? "notice" : "other engine";
}

const good = ["same", "notice", "other engine"];

/** Runs one case. */
async function run(name: string, fault: Fault): Promise<Report> {
  const tested = scenario(name);
  const { act, clean } = tested;
  if (!expected.has(name)) await rehearse(name);
  const before = expected.get(name);
  if (!before) throw new Error(`${name} was not rehearsed.`);
  const faults: string[] = [];
  const mm = await begin(tested);
  const { signal, listeners } = countedSignal();
  const modelBefore = mm.model;
  control.arm(fault);
  const hangMs = tested.isSlow ? SLOW_MS : HANG_MS;
  const result = await settled(act(mm, { ...given, signal }), hangMs);
  control.disarm();
  const fired = control.fired > 0;

  let outcome = "hangs";
  let message = "";
  if ("hangs" in result) faults.push(`it does not settle in ${hangMs} ms`);
  else if ("value" in result) {
    outcome = compare(result.value, before.value);
    if (!good.includes(outcome)) faults.push(`it succeeds with ${outcome}`);
    message = (result.value as { notices?: string[] } | undefined)?.notices?.join(" ") ?? "";
  } else {
    const { error } = result;
    message = error instanceof Error ? error.message : String(error);
    outcome = isMakemoreError(error) ? error.code : `${error}`;
    if (!isMakemoreError(error)) faults.push(`it rejects with ${error}`);
  }
  if (!("hangs" in result)) {
    faults.push(...(await modelStays(mm, tested, modelBefore)));
    if (listeners() !== 0) faults.push(`${listeners()} listeners are left on the signal`);
    // The next call works, and gives what it should.
    await clean?.({ ...given, signal });
    const again = await settled(act(mm, { ...given, signal }));
    const second = "value" in again ? compare(again.value, before.value) : "";
    if (!("value" in again))
      faults.push(`the next call fails: ${"error" in again ? again.error : "it hangs"}`);
    else if (second !== "same" && !lastingFault(fault)) faults.push(`the next call gives ${second}`);
    await sampleOf(mm).catch(() => {});
    const { held, troubles: unseen } = await look();
    faults.push(...unseen);
    for (const key of Object.keys(held) as (keyof Held)[])
      if (held[key] > before.held[key])
        faults.push(`${held[key]} ${key} are held instead of ${before.held[key]}`);
  }
  await clean?.({ ...given, signal }).catch((error) => faults.push(`cleaning up fails: ${error}`));
  end(mm, faults.length > 0);
  faults.push(...(await allGone()));
  return { fired, outcome, message, faults };
}

/** A GPU that was lost, or measured as unable, may be passed over for the rest of the worker's life. */
function lastingFault({ operation, manner }: Fault): boolean {
  return manner === "lost" || ["adapter", "device"].includes(operation);
}

/** After a call that must not change the model, it is there and says the same; after others there is one. */
async function modelStays(
  mm: MakemoreClass,
  { model, replaces, isCold }: Scenario,
  info: ModelInfo | undefined,
): Promise<string[]> {
  if (!model) return [];
  if (!mm.model) return ["the model is gone"];
  if (!replaces && JSON.stringify(mm.model) !== JSON.stringify(info)) return ["its model is another one"];
  const said = await settled(isCold ? fileOf(mm) : sampleOf(mm));
  if (!("value" in said))
    return [`the model does not answer any more: ${"error" in said ? said.error : "it hangs"}`];
  const before = isCold ? hash(given.files[model]) : samples.get(model);
  if (!replaces && said.value !== before) return [`the model is another one: ${said.value}`];
  return [];
}

/** No worker and no lock outlives its Makemore; the shared one may be alive. */
async function allGone(): Promise<string[]> {
  const until = performance.now() + GONE_MS;
  const most = warm ? 1 : 0;
  for (;;) {
    const { held = [], pending = [] } = await navigator.locks.query();
    const left = [
      ...(workers.size > most ? [`${workers.size - most} workers are left`] : []),
      ...(held.length > most || pending.length > most
        ? [`${held.length} locks are held, ${pending.length} asked for`]
        : []),
    ];
    if (left.length === 0) return left;
    if (performance.now() > until) {
      for (const worker of workers.keys()) worker.terminate();
      warm = undefined;
      return left;
    }
    await delay(10);
  }
}

/** What the driver calls. */
const torture = {
  prepare,
  rehearse,
  run,
  names: Object.keys(scenarios),
  setClock: (rate: number) => {
    clock = rate;
  },
};
export type Torture = typeof torture;
Object.assign(globalThis, { torture });

/**
 * The page under test. `torture.run` does one case: a scenario with one fault; then it looks at all that must hold
 * after it, whatever the fault was.
 */
import type { Makemore as MakemoreClass, MakemoreError, ModelInfo } from "../../../src";
import type { Fault, Operation } from "./control";
import type { Held } from "./inject";
import { type Kill, makeKills } from "./kills";
import { type Given, hash, type ModelName, type Scenario, scenarios } from "./scenarios";
import { clock, control, delay, look, workers } from "./threads";

/** A call that has not settled by then hangs, ms. */
const HANG_MS = 10_000;
/** The same where a software GPU compiles the kernels, which takes seconds each time. */
const SLOW_MS = 60_000;
/** Operations after whose failure another engine may train: in Chromium one on the GPU. */
const FALLS_BACK: readonly Operation[] = ["body", "compile", "decompress", "kernels"];
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

/** In ONNX Runtime, and exact. */
async function saysOf(mm: MakemoreClass): Promise<string> {
  return JSON.stringify(await mm.next("an"));
}

/** Makes the files that scenarios begin with. */
async function prepare(words: readonly string[]): Promise<void> {
  ({ Makemore } = (await import(/* @vite-ignore */ `${location.origin}/dist/index.js`)) as {
    Makemore: typeof MakemoreClass;
  });
  const mm = new Makemore({ backend: "wasm" });
  const file = async (name: ModelName, model: object) => {
    await mm.train(words, { steps: 6, batchSize: 4, keepBest: false, model });
    samples.set(name, await saysOf(mm));
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
  // Waits less than others do, so that a case takes less time.
  clock.rate = 10;
  warm ??= new Makemore({ backend: "wasm" });
  await warm.load(given.files[model ?? "window"], { words: given.words });
  clock.rate = 1;
  return warm;
}

/** Workers that a scenario does not use: the shared one, if it begins in a worker of its own. */
function others({ isCold }: Scenario): ReadonlySet<Worker> {
  return new Set(isCold ? workers.keys() : []);
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
  const apart = others(tested);
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
  if (!tested.isCold) await saysOf(mm);
  expected.set(name, { value, held: (await look(apart)).held });
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
  const apart = others(tested);
  const mm = await begin(tested);
  const { signal, listeners } = countedSignal();
  const modelBefore = mm.model;
  control.arm(fault);
  const hangMs = tested.isSlow || FALLS_BACK.includes(fault.operation) ? SLOW_MS : HANG_MS;
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
    outcome = isMakemoreError(error) ? error.code : String(error);
    if (!isMakemoreError(error)) faults.push(`it rejects with ${error}`);
  }
  if (!("hangs" in result)) {
    faults.push(...(await modelStays(mm, tested, modelBefore, fault)));
    if (listeners() !== 0) faults.push(`${listeners()} listeners are left on the signal`);
    // The next call works, and gives what it should.
    await clean?.({ ...given, signal });
    if (tested.model && !mm.model) await mm.load(given.files[tested.model], { words: given.words });
    if (!tested.isSlow) {
      const again = await settled(act(mm, { ...given, signal }));
      const second = "value" in again ? compare(again.value, before.value) : "";
      if (!("value" in again))
        faults.push(`the next call fails: ${"error" in again ? again.error : "it hangs"}`);
      else if (second !== "same" && !lastingFault(fault)) faults.push(`the next call gives ${second}`);
    }
    faults.push(...(await leftOver(apart, before.held)));
  }
  await clean?.({ ...given, signal }).catch((error) => faults.push(`cleaning up fails: ${error}`));
  end(mm, faults.length > 0);
  faults.push(...(await allGone()));
  return { fired, outcome, message, faults };
}

/** What is held beyond what a run without a fault holds, once what is under way has ended. */
async function leftOver(apart: ReadonlySet<Worker>, before: Held): Promise<string[]> {
  const until = performance.now() + GONE_MS;
  for (;;) {
    const { held, troubles } = await look(apart);
    const more = (Object.keys(held) as (keyof Held)[]).filter((key) => held[key] > before[key]);
    const found = [
      ...troubles,
      ...more.map((key) => `${held[key]} ${key} are held instead of ${before[key]}`),
    ];
    if (found.length === 0 || troubles.length > 0 || performance.now() > until) return found;
    await delay(50);
  }
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
  { operation, forever }: Fault,
): Promise<string[]> {
  if (!model) return [];
  // A thread that can send nothing at all any more is ended, and its model is lost.
  if (!mm.model) return operation === "post" && forever ? [] : ["the model is gone"];
  if (!replaces && JSON.stringify(mm.model) !== JSON.stringify(info)) return ["its model is another one"];
  const said = await settled(isCold ? fileOf(mm) : saysOf(mm));
  if (replaces && !(await isWorkersModel(mm))) return ["the worker has another model than the page"];
  if (!("value" in said))
    return [`the model does not answer any more: ${"error" in said ? said.error : "it hangs"}`];
  const before = isCold ? hash(given.files[model]) : samples.get(model);
  if (!replaces && said.value !== before) return [`the model is another one: ${said.value}`];
  return [];
}

/** Whether `model` is what the worker has: after it loads its own file, the page knows for sure. */
async function isWorkersModel(mm: MakemoreClass): Promise<boolean> {
  const before = JSON.stringify(mm.model);
  await mm.load(await mm.exportONNX());
  return JSON.stringify(mm.model) === before;
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

/** A training that the driver watches while it does something to the page. */
const watched = { steps: 0 };

/** Runs it twice: undisturbed, and again while `watched.steps` grows. */
async function trainWatched(): Promise<{ reached: boolean; faults: string[] }> {
  const options = { steps: 20_000, batchSize: 4, keepBest: false, model: { embedding: 2, hidden: 4 } };
  const mm = new Makemore({ backend: "wasm" });
  try {
    watched.steps = 0;
    const seconds: (number | undefined)[] = [];
    await mm.train(given.words, {
      ...options,
      onProgress: (progress) => {
        watched.steps = progress.step;
        seconds.push(progress.secondsLeft, progress.stepsPerSecond);
      },
    });
    const disturbed = await fileOf(mm);
    const sane = seconds.every((each) => each !== undefined && Number.isFinite(each) && each >= 0);
    await mm.train(given.words, options);
    const faults = [
      ...((await fileOf(mm)) === disturbed ? [] : ["another model than that of an undisturbed training"]),
      ...(sane ? [] : [`progress has nonsense in it: ${seconds.join()}`]),
    ];
    return { reached: true, faults };
  } finally {
    mm.dispose();
  }
}

/** Saves a model and removes it: `"saved"`, or the code of what went wrong. */
async function saveOnce(): Promise<string> {
  const mm = new Makemore({ backend: "wasm" });
  try {
    await mm.load(given.files.window, { words: given.words });
    await mm.save("quota");
    await Makemore.remove("quota");
    return "saved";
  } catch (error) {
    return isMakemoreError(error) ? error.code : String(error);
  } finally {
    mm.dispose();
  }
}

let kills: ReturnType<typeof makeKills> | undefined;

/** How often a kill that comes too late is tried. */
const TRIES = 4;

/** Ends something at a moment, 0 to 1; see kills.ts. */
async function kill(name: keyof ReturnType<typeof makeKills>, moment: number): Promise<Kill> {
  kills ??= makeKills({ Makemore, words: given.words });
  // One that comes too late shows how long the call takes now: try again with that time.
  for (let tries = 1; ; tries++) {
    const found = await kills[name](moment);
    if (found.reached || found.faults.length > 0 || tries === TRIES) return found;
  }
}

/** Names of the scenarios and kills that need WebGPU, if this browser does not have it. */
async function lacking(): Promise<string[]> {
  if (await navigator.gpu?.requestAdapter()) return [];
  const training = Object.entries(scenarios).filter(([, { backend }]) => backend === "webgpu");
  return [...training.map(([name]) => name), "loseGPU", "loseTfjsGPU"];
}

/** What the driver calls. */
const torture = {
  prepare,
  rehearse,
  run,
  kill,
  watched,
  trainWatched,
  saveOnce,
  names: Object.keys(scenarios),
  lacking,
};
export type Torture = typeof torture;
Object.assign(globalThis, { torture });

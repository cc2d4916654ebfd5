/**
 * Chooses the engine that trains. `auto` benchmarks: it runs a few discarded steps on each engine that can
 * run this model on this machine, and takes the fastest. The training's result reports the benchmark, and
 * the page caches it until it is closed.
 */

import { MakemoreError } from "../../src/errors";
import type { Measurements } from "../../src/protocol";
import type { BackendMeasurement, MakemoreOptions } from "../../src/types";
import { type Backend, byRank, type Engines } from "../engines";
import type { Engine, EngineFactory, EngineSetup } from "../engines/engine";
import type { Example } from "../model/layer";
import { now } from "./pace";

/** Minimum duration of a benchmark, ms, because clocks may tick in whole milliseconds. */
const MEASURE_MS = 15;
/** If the first step takes this long, ms, its time is the result. */
const SLOW_MS = 100;

/** Engines that `auto` benchmarks: all but the one of the lowest rank. */
const benchmarked = byRank.slice(0, -1).reverse();

export interface Choice {
  readonly engine: Engine;
  /** Absent if the caller chose a backend. */
  readonly measured?: BackendMeasurement[];
  readonly notices: string[];
}

/**
 * Warms up the engines that `chooseEngine` will open or benchmark. With `auto`, these are the ones that are worth a
 * benchmark here, and none if the page has benchmarks already.
 */
export async function warmUp(
  backend: NonNullable<MakemoreOptions["backend"]>,
  example: Example,
  engines: Engines,
  known: Measurements,
): Promise<void> {
  if (backend !== "auto") return void (await engines[backend].warmUp?.(example));
  if (known.size > 0) return;
  const warmUpOne = async ({ backend, kind }: (typeof benchmarked)[number]) => {
    if ((await kind.look?.())?.skipped === undefined) await engines[backend].warmUp?.(example);
  };
  await Promise.all(benchmarked.map(warmUpOne));
}

/**
 * Opens an engine for a training.
 *
 * If the requested backend cannot run here, one of lower rank replaces it, with a notice.
 *
 * @param known earlier benchmarks, by model, batch size, optimiser and examples; new ones are added
 * @throws MakemoreError `UNSUPPORTED` if no engine can run it
 */
export async function chooseEngine(
  backend: NonNullable<MakemoreOptions["backend"]>,
  setup: EngineSetup,
  engines: Engines,
  known: Measurements,
): Promise<Choice> {
  if (backend !== "auto") return firstThatRuns(preference(backend), setup, engines);
  const key = JSON.stringify([
    setup.network.layers.map((layer) => layer.spec),
    setup.network.vocabularySize,
    setup.batchSize,
    setup.optimizer.type,
    setup.examples?.order,
    setup.examples?.targets,
  ]);
  let measured = known.get(key);
  if (!measured) {
    const found = await measureAll(setup, engines);
    measured = found.map(({ passing: _, ...measurement }) => measurement);
    // Do not cache passing failures: a file may load the next time, and a busy GPU may be free.
    if (!found.some(({ passing }) => passing)) known.set(key, measured);
  }
  const fastest = measured
    .filter((m) => m.msPerStep !== undefined)
    .sort((a, b) => (a.msPerStep ?? 0) - (b.msPerStep ?? 0));
  const order = [...fastest.map((m) => m.backend), ...byRank.slice(-1).map(({ backend }) => backend)];
  return { ...(await firstThatRuns(order, setup, engines)), measured };
}

/**
 * Opens an engine in place of one that was lost: the same kind on a new device, or the next kind if the
 * replacement was lost as well, at the same checkpoint.
 */
export async function replaceEngine(
  lost: Engine,
  again: boolean,
  setup: EngineSetup,
  engines: Engines,
): Promise<Engine> {
  const order = preference(lost.backend);
  const rest = again && order.length > 1 ? order.slice(1) : order;
  return (await firstThatRuns(rest, setup, engines)).engine;
}

function preference(backend: Backend): Backend[] {
  const all = byRank.map(({ backend }) => backend);
  return all.slice(all.indexOf(backend));
}

async function firstThatRuns(order: Backend[], setup: EngineSetup, engines: Engines): Promise<Choice> {
  const notices: string[] = [];
  let failure: unknown;
  for (const backend of order) {
    try {
      return { engine: await engines[backend](setup), notices };
    } catch (error) {
      failure = error;
      notices.push(`The ${backend} engine cannot run this here: ${messageOf(error)}`);
    }
  }
  if (notices.length === 1 || !(failure instanceof MakemoreError)) throw failure;
  // The message also says why the requested engine failed.
  throw new MakemoreError(failure.code, notices.join(" "), { cause: failure });
}

/** A benchmark. `passing`: the reason for skipping the engine may be gone the next time. */
type Finding = BackendMeasurement & { readonly passing?: boolean };

/** Benchmarks the engines, one after another. */
async function measureAll(setup: EngineSetup, engines: Engines): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const candidate of benchmarked) found.push(await find(candidate, setup, engines));
  return found;
}

/** Benchmarks an engine, if it can train this, is worth it here, and answers in time. */
async function find(
  { backend, kind }: (typeof byRank)[number],
  setup: EngineSetup,
  engines: Engines,
): Promise<Finding> {
  const { patience } = kind;
  const refusal = kind.refuses(setup);
  if (refusal) return { backend, device: "", skipped: refusal };
  let device = "";
  const look = async (): Promise<Finding> => {
    const here = await kind.look?.();
    device = here?.device ?? "";
    if (here?.skipped !== undefined) return { backend, device, skipped: here.skipped };
    return measure(backend, engines[backend], setup);
  };
  if (patience === undefined) return look();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Finding>((resolve) => {
    const skipped = `it did not start in ${patience / 1000} s`;
    timer = setTimeout(() => resolve({ backend, device, skipped, passing: true }), patience);
  });
  try {
    return await Promise.race([look(), late]);
  } catch (error) {
    return { backend, device, skipped: messageOf(error), passing: true };
  } finally {
    clearTimeout(timer);
  }
}

/** Opens an engine, benchmarks it, and disposes of it. */
async function measure(backend: Backend, open: EngineFactory, setup: EngineSetup): Promise<Finding> {
  try {
    const engine = await open(setup);
    try {
      return { backend, device: engine.device, msPerStep: await msPerStep(engine) };
    } finally {
      engine.dispose();
    }
  } catch (error) {
    return { backend, device: "", skipped: messageOf(error), passing: true };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Times chunks of growing length, as training runs them: longer chunks have less overhead per step. */
async function msPerStep(engine: Engine): Promise<number> {
  const timed = async (steps: number) => {
    const started = now();
    // Learning rate 0: timing leaves the weights unchanged.
    await engine.run(0, new Float32Array(steps));
    return now() - started;
  };
  // The first step includes compilation.
  const first = await timed(1);
  if (first > SLOW_MS) return first;
  for (let steps = 2; ; steps *= 2) {
    const ms = await timed(steps);
    if (ms >= MEASURE_MS) return ms / steps;
  }
}

/**
 * Which engine trains. `auto` does not guess: it runs a few throw-away steps on each engine that
 * can run this model on this machine, and takes the fastest. What it found is reported in the result,
 * and the page keeps it for its life.
 */

import { MakemoreError } from "../../src/errors";
import type { Measurements } from "../../src/protocol";
import type { BackendMeasurement, MakemoreOptions } from "../../src/types";
import { type Backend, byRank, type Engines } from "../engines";
import type { Engine, EngineFactory, EngineSetup } from "../engines/engine";

/** The steps that count take at least this long, ms: clocks may tick in whole milliseconds. */
const MEASURE_MS = 15;
/** A first step that takes this long is measure enough, ms. */
const SLOW_MS = 100;

export interface Choice {
  readonly engine: Engine;
  /** Absent where a backend was asked for. */
  readonly measured?: BackendMeasurement[];
  readonly notices: string[];
}

/**
 * Opens an engine for a training.
 *
 * A backend that was asked for and cannot run here gives way, with a notice, to one of lower rank that
 * can.
 *
 * @param known what was measured before, by model, batch size and optimiser; what is measured now is added
 * @throws MakemoreError `UNSUPPORTED` where nothing can run
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
    // A file that did not arrive, or a GPU that was busy, may be otherwise the next time.
    if (!found.some(({ passing }) => passing)) known.set(key, measured);
  }
  const fastest = measured
    .filter((m) => m.msPerStep !== undefined)
    .sort((a, b) => (a.msPerStep ?? 0) - (b.msPerStep ?? 0));
  const order = [...fastest.map((m) => m.backend), ...byRank.slice(-1).map(({ backend }) => backend)];
  return { ...(await firstThatRuns(order, setup, engines)), measured };
}

/**
 * Where to go on after an engine was lost: the same kind, on a new device; the next kind where that
 * was lost as well before it got anywhere.
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
  // Why the one that was asked for failed is said as well.
  throw new MakemoreError(failure.code, notices.join(" "), { cause: failure });
}

/** `passing`: why an engine was skipped may not be so the next time. */
type Finding = BackendMeasurement & { readonly passing?: boolean };

/** All but the last resort, one after the other. */
async function measureAll(setup: EngineSetup, engines: Engines): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const candidate of byRank.slice(0, -1).reverse()) found.push(await find(candidate, setup, engines));
  return found;
}

/** Measures an engine, if it trains this, is worth it here, and answers in time. */
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

/** Opens an engine, measures it, and throws it away. */
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

/** Over chunks of more and more steps, as training runs them: the longer, the less is overhead. */
async function msPerStep(engine: Engine): Promise<number> {
  const timed = async (steps: number) => {
    const started = performance.now();
    // At a rate of 0, whatever the weights are.
    await engine.run(0, new Float32Array(steps));
    return performance.now() - started;
  };
  // The first step compiles what is not compiled yet.
  const first = await timed(1);
  if (first > SLOW_MS) return first;
  for (let steps = 2; ; steps *= 2) {
    const ms = await timed(steps);
    if (ms >= MEASURE_MS) return ms / steps;
  }
}

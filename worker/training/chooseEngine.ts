/**
 * Chooses the engine that trains. `auto` takes the one that was fastest in a benchmark. The training's result
 * reports the benchmark, and the page caches it until it is closed.
 */
import { MakemoreError } from "../../src/errors";
import type { Measurements } from "../../src/protocol";
import type { BackendMeasurement, MakemoreOptions } from "../../src/types";
import { type Backend, byRank, type Engines } from "../engines";
import type { Engine, EngineSetup } from "../engines/engine";
import type { Example } from "../model/layer";
import { candidates, measureAll } from "./benchmark";

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
  const warmUpOne = async ({ backend, kind }: (typeof candidates)[number]) => {
    if ((await kind.look?.())?.skipped === undefined) await engines[backend].warmUp?.(example);
  };
  await Promise.all(candidates.map(warmUpOne));
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
  const earlier = known.get(key);
  if (earlier) return { ...(await firstThatRuns(bySpeed(earlier), setup, engines)), measured: earlier };
  const findings = await measureAll(setup, engines);
  const measured = findings.map(({ measurement }) => measurement);
  // Do not cache passing failures: a file may load the next time, and a busy GPU may be free.
  if (!findings.some(({ passing }) => passing)) known.set(key, measured);
  const order = bySpeed(measured);
  const fastest = findings.find(({ measurement }) => measurement.backend === order[0])?.engine;
  for (const { engine } of findings) if (engine !== fastest) engine?.dispose();
  const restarted = fastest && (await restart(fastest, setup));
  return { ...(restarted ?? (await firstThatRuns(order, setup, engines))), measured };
}

/** The measured backends from the fastest to the slowest, and then the one that is never measured. */
function bySpeed(measured: readonly BackendMeasurement[]): Backend[] {
  const fastest = measured
    .filter((m) => m.msPerStep !== undefined)
    .sort((a, b) => (a.msPerStep ?? 0) - (b.msPerStep ?? 0));
  return [...fastest.map((m) => m.backend), ...byRank.slice(-1).map(({ backend }) => backend)];
}

/** Makes a measured engine like a new one, which saves opening one; undefined if it was lost. */
async function restart(engine: Engine, setup: EngineSetup): Promise<Choice | undefined> {
  try {
    await engine.write(setup);
    return { engine, notices: [] };
  } catch {
    engine.dispose();
    return undefined;
  }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

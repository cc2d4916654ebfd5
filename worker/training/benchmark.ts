/** The benchmarks of `auto`: a few discarded steps on each engine that can run this model on this machine. */
import { nextTask } from "../../src/slices";
import type { BackendMeasurement } from "../../src/types";
import { type Backend, byRank, type Engines } from "../engines";
import type { Engine, EngineSetup } from "../engines/engine";
import { now } from "./pace";

/** Minimum duration of a benchmark, ms, because clocks may tick in whole milliseconds. */
const MEASURE_MS = 15;
/** If the first step takes this long, ms, its time is the result. */
const SLOW_MS = 100;
/**
 * A benchmark may be several times too slow while another engine opens, because a GPU's compiler takes cores. It is
 * repeated if the engine lost by less than this factor.
 */
const DOUBTFUL = 4;

/** The engines that are benchmarked: all but the one of the lowest rank. */
export const candidates = byRank.slice(0, -1);
type Candidate = (typeof candidates)[number];

/** A benchmark. */
export interface Finding {
  readonly measurement: BackendMeasurement;
  /** The measured engine, which has run: `write` makes it like a new one. The caller disposes of it. */
  readonly engine?: Engine;
  /** Whether the reason for skipping the engine may be gone the next time. */
  readonly passing?: boolean;
}

/** Opens all engines side by side, because a GPU takes long to compile, and benchmarks them one after another. */
export async function measureAll(setup: EngineSetup, engines: Engines): Promise<Finding[]> {
  // Those of high rank take longest to open, so they begin first and are benchmarked last.
  const begun = candidates.map((candidate) => begin(candidate, setup, engines));
  const findings: Finding[] = [];
  for (const benchmark of begun.reverse()) findings.push(await benchmark());
  const best = Math.min(
    ...findings.map(({ measurement }) => measurement.msPerStep ?? Number.POSITIVE_INFINITY),
  );
  for (const [i, { engine, measurement }] of findings.entries()) {
    const { msPerStep = best } = measurement;
    if (engine && msPerStep > best && msPerStep < DOUBTFUL * best)
      findings[i] = await measure(measurement.backend, engine);
  }
  return findings;
}

/**
 * Begins to open an engine, if it can train this and is worth it here.
 *
 * @returns a function that benchmarks it as soon as it is open; not to be called while another benchmark runs
 */
function begin({ backend, kind }: Candidate, setup: EngineSetup, engines: Engines): () => Promise<Finding> {
  const { patience } = kind;
  let device = "";
  const opening = (async (): Promise<{ engine?: Engine; skipped?: string }> => {
    const refusal = kind.refuses(setup);
    if (refusal !== undefined) return { skipped: refusal };
    const here = await kind.look?.();
    device = here?.device ?? "";
    if (here?.skipped !== undefined) return { skipped: here.skipped };
    return { engine: await engines[backend](setup) };
  })();
  // Nobody awaits it yet; the benchmark reports a failure.
  opening.catch(() => {});
  const benchmark = async (): Promise<Finding> => {
    try {
      const { engine, skipped = "" } = await opening;
      return engine ? await measure(backend, engine) : { measurement: { backend, device, skipped } };
    } catch (error) {
      return failed(backend, error);
    }
  };
  return async () => {
    if (patience === undefined) return benchmark();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patience);
    });
    const finding = await Promise.race([benchmark(), late]);
    clearTimeout(timer);
    if (finding) return finding;
    opening.then(({ engine }) => engine?.dispose()).catch(() => {});
    const skipped = `it did not start in ${patience / 1000} s`;
    return { measurement: { backend, device, skipped }, passing: true };
  };
}

/** Benchmarks an engine. If it fails, disposes of it. */
async function measure(backend: Backend, engine: Engine): Promise<Finding> {
  try {
    return { engine, measurement: { backend, device: engine.device, msPerStep: await msPerStep(engine) } };
  } catch (error) {
    engine.dispose();
    return failed(backend, error);
  }
}

function failed(backend: Backend, error: unknown): Finding {
  const skipped = error instanceof Error ? error.message : String(error);
  return { measurement: { backend, device: "", skipped }, passing: true };
}

/** Times chunks of growing length, as training runs them: longer chunks have less overhead per step. */
async function msPerStep(engine: Engine): Promise<number> {
  const timed = async (steps: number) => {
    // An engine that opens goes on meanwhile, so that its work does not count here.
    await nextTask();
    const started = now();
    // Learning rate 0, which is enough to time a step.
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

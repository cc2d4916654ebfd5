/**
 * Which engine trains. `auto` does not guess: it runs a few throw-away steps on each engine that
 * can run this model on this machine, and takes the fastest. What it found is kept for the
 * worker's life and reported in the result.
 */
import type { Backend, BackendMeasurement, MakemoreOptions } from "../../src/types";
import type { Engine, EngineFactory, EngineSetup } from "../engines/engine";
import { asBlocks } from "../model/blocks";

/** A throw-away measurement takes about this long once the engine stands, ms. */
const MEASURE_MS = 25;
/** A GPU that has not got through its first steps by then is not worth the wait, ms. */
const PATIENCE_MS = 5000;
/** Software adapters by the names they give themselves. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** The engines there are; each may load its code when it is first asked for. */
export type Engines = Record<Backend, EngineFactory>;

export interface Choice {
  readonly engine: Engine;
  /** Absent where a backend was asked for. */
  readonly measured?: BackendMeasurement[];
  readonly notices: string[];
}

/** What was measured in this worker, by model, batch size and optimiser. */
const known = new Map<string, BackendMeasurement[]>();

/**
 * Opens an engine for a training.
 *
 * A backend that was asked for and cannot run here gives way, with a notice, to one that can:
 * `webgpu` to `wasm`, and either to `tfjs`.
 *
 * @throws MakemoreError `UNSUPPORTED` where nothing can run
 */
export async function chooseEngine(
  backend: NonNullable<MakemoreOptions["backend"]>,
  setup: EngineSetup,
  engines: Engines,
): Promise<Choice> {
  if (backend !== "auto") return firstThatRuns(preference(backend), setup, engines);
  const key = JSON.stringify([
    setup.network.layers.map((layer) => layer.spec),
    setup.network.vocabularySize,
    setup.batchSize,
    setup.optimizer.type,
  ]);
  const measured = known.get(key) ?? (await measureAll(setup, engines));
  known.set(key, measured);
  const fastest = measured
    .filter((m) => m.msPerStep !== undefined)
    .sort((a, b) => (a.msPerStep ?? 0) - (b.msPerStep ?? 0));
  const order = [...fastest.map((m) => m.backend), "tfjs" as const];
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
  const all: Backend[] = ["webgpu", "wasm", "tfjs"];
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
      notices.push(
        `The ${backend} engine cannot run this here: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  throw failure;
}

async function measureAll(setup: EngineSetup, engines: Engines): Promise<BackendMeasurement[]> {
  if (!asBlocks(setup.network)) {
    const skipped = "it does not cover this list of layers";
    return [
      { backend: "wasm", device: "", skipped },
      { backend: "webgpu", device: "", skipped },
    ];
  }
  const wasm = await measure("wasm", engines.wasm, setup);
  const adapter = await describeAdapter();
  if ("skipped" in adapter) return [wasm, { backend: "webgpu", ...adapter }];
  const patience = new Promise<BackendMeasurement>((resolve) =>
    setTimeout(
      () =>
        resolve({
          backend: "webgpu",
          device: adapter.device,
          skipped: `it did not start in ${PATIENCE_MS / 1000} s`,
        }),
      PATIENCE_MS,
    ),
  );
  return [wasm, await Promise.race([measure("webgpu", engines.webgpu, setup), patience])];
}

/** The GPU in question, or why there is none. */
async function describeAdapter(): Promise<{ device: string } | { device: string; skipped: string }> {
  if (!navigator.gpu) return { device: "", skipped: "this browser has no WebGPU" };
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return { device: "", skipped: "there is no GPU adapter" };
  const { vendor, architecture, device, description } = adapter.info;
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
  if (adapter.info.isFallbackAdapter || SOFTWARE.test(name))
    return { device: name, skipped: "a software adapter is never faster than wasm" };
  return { device: name };
}

/** Median time of a step, the first one (which warms up) left out. */
async function measure(
  backend: Backend,
  open: EngineFactory,
  setup: EngineSetup,
): Promise<BackendMeasurement> {
  try {
    const engine = await open(setup);
    try {
      const still = new Float32Array(1);
      await engine.run(0, still);
      const times: number[] = [];
      const end = performance.now() + MEASURE_MS;
      // A GPU hides its latency in a chunk; a few steps at once are nearer to how it will run.
      const chunk = backend === "webgpu" ? 16 : 1;
      do {
        const started = performance.now();
        await engine.run(0, new Float32Array(chunk));
        times.push((performance.now() - started) / chunk);
      } while (performance.now() < end);
      times.sort((a, b) => a - b);
      return { backend, device: engine.device, msPerStep: times[times.length >> 1] ?? 0 };
    } finally {
      engine.dispose();
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { backend, device: "", skipped: error.message };
  }
}

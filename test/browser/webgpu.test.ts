/** The fused WebGPU engine's numbers, in a real browser, against PyTorch's and the float64 reference. */
import { afterEach, describe, expect, test } from "vitest";
import type { AdamW, LayerSpec, SGD } from "../../src/types";
import type { TokenStream } from "../../worker/data/dataset";
import type { EngineSetup, EngineState } from "../../worker/engines/engine";
import { openWebGPU, tf } from "../../worker/engines/tfjs/backend";
import { createWebGPUEngine, type WebGPUEngine } from "../../worker/engines/webgpu";
import { architecture } from "../../worker/model/architectures";
import type { Parameters } from "../../worker/model/layer";
import { buildNetwork, initialParameters, type Network } from "../../worker/model/network";
import { allowedDifference, largestDifference, pytorchRun } from "../pytorch";
import { Reference } from "../reference";

const adamw: Required<AdamW> = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };
const sgd: Required<SGD> = { type: "sgd" };

const engines: WebGPUEngine[] = [];

async function create(setup: EngineSetup): Promise<WebGPUEngine> {
  const engine = await createWebGPUEngine(setup);
  engines.push(engine);
  return engine;
}

afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

/** Words of all lengths up to 11 over ids 1 to vocabularySize - 1, not ending on a whole word of memory. */
function someStream(vocabularySize: number): TokenStream {
  const tokens = [0];
  for (let i = 0; i < 201; i++) {
    for (let k = 0; k <= i % 11; k++) tokens.push(1 + ((i * 7 + k * k * 3) % (vocabularySize - 1)));
    tokens.push(0);
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

function setupOf(network: Network, change: Partial<EngineSetup> = {}): EngineSetup {
  return {
    network,
    parameters: initialParameters(network, 1),
    optimizer: sgd,
    stream: someStream(network.vocabularySize),
    seed: 4_000_000_007,
    batchSize: 32,
    ...change,
  };
}

function expectClose(
  actual: Parameters,
  expected: ReadonlyMap<string, ArrayLike<number>>,
  before: Parameters,
  steps: number,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected) {
    const difference = largestDifference(actual.get(name) ?? [], values);
    expect(difference, name).toBeLessThanOrEqual(allowedDifference(before.get(name) ?? [], values, steps));
  }
}

describe("PyTorch", () => {
  for (const name of ["mlp", "wavenet"] as const)
    test(`20 steps of the ${name}`, async () => {
      const run = pytorchRun(name);
      const { network, parameters, stream, batchSize } = run;
      const engine = await create({ network, parameters, stream, batchSize, optimizer: sgd, seed: 0 });
      const losses = await engine.run(0, run.learningRates, run.positions);
      expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
      const state = await engine.read();
      expectClose(state.parameters, new Map([...run.after, ...run.running]), parameters, losses.length);
      expect(state.moments).toBeUndefined();
    });
});

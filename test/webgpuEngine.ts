/** What the tests of the fused WebGPU engine share. */
import type { AdamW, SGD } from "../src/types";
import type { TokenStream } from "../worker/data/dataset";
import type { EngineSetup } from "../worker/engines/engine";
import { createWebGPUEngine, type WebGPUEngine, type WebGPUEngineOptions } from "../worker/engines/webgpu";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, initialParameters, type Network } from "../worker/model/network";
import type { Complete } from "../worker/validation";

export const adamw: Complete<AdamW> = {
  type: "adamw",
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.01,
};
export const sgd: SGD = { type: "sgd" };

/** Quick to compile for, and with everything in it: two levels with norm and tanh, a head with bias. */
export const small = buildNetwork(architecture({ contextLength: 4, embedding: 5, hidden: 12 }), 11);

/** Words of all lengths up to 10 over ids 1 to vocabularySize - 1; its bytes do not fill whole words. */
export function someStream(vocabularySize: number): TokenStream {
  const tokens = [0];
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k <= i % 10; k++) tokens.push(1 + ((i * 7 + k * k * 3) % (vocabularySize - 1)));
    tokens.push(0);
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

export function someSetup(network: Network, change: Partial<EngineSetup> = {}): EngineSetup {
  return {
    network,
    parameters: initialParameters(network, 1),
    optimizer: adamw,
    stream: someStream(network.vocabularySize),
    // Above 2^31: the GPU must take it as unsigned.
    seed: 4_000_000_007,
    batchSize: 8,
    ...change,
  };
}

/** Rates that differ from step to step, so that a step that takes another's shows. */
export function someRates(steps: number, peak = 0.01): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: steps }, (_, i) => peak / (1 + i / 8));
}

const engines = new Set<WebGPUEngine>();

/** An engine that `disposeAll` disposes of. */
export async function create(setup: EngineSetup, options?: WebGPUEngineOptions): Promise<WebGPUEngine> {
  const engine = await createWebGPUEngine(setup, options);
  engines.add(engine);
  return engine;
}

/** For `afterEach`. */
export function disposeAll(): void {
  for (const engine of engines) engine.dispose();
  engines.clear();
}

/** The engines and peers that run in the browser, behind one face. */
import type { LayerSpec } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import type { Engine, EngineSetup } from "../../worker/engines/engine";
import type { Optimizer } from "../../worker/engines/optimizer";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";

/** What all of them train: the same words, weights and minibatches. */
export interface Task {
  /** One word a line. */
  readonly words: string;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  readonly seed: number;
}

/** What an engine must do to be measured. */
export type Trainer = Pick<Engine, "device" | "run" | "dispose">;

/** The lecture's model and the beginning of its training. */
export function setUp(task: Task): EngineSetup {
  const dataset = buildDataset(task.words, { seed: task.seed, split: [0.8, 0.1, 0.1], shuffle: true });
  const layers: readonly LayerSpec[] = architecture("wavenet");
  const network = buildNetwork(layers, dataset.vocabulary.size);
  return {
    network,
    parameters: initialParameters(network, task.seed),
    optimizer: task.optimizer,
    stream: dataset.train,
    seed: task.seed,
    batchSize: task.batchSize,
  };
}

/** By the names of `--engines`. A peer is only loaded where it is measured. */
export async function createTrainer(name: string, setup: EngineSetup): Promise<Trainer> {
  switch (name) {
    case "wasm-relaxed":
    case "wasm-simd": {
      const { createWasmEngine } = await import("../../worker/engines/wasm");
      return createWasmEngine(setup, name === "wasm-relaxed" ? "relaxed-simd" : "simd");
    }
    case "webgpu": {
      const { createWebGPUEngine } = await import("../../worker/engines/webgpu");
      return createWebGPUEngine(setup);
    }
    case "tfjs-wasm":
      return createTfjsEngine(setup, {
        backend: "wasm",
        wasmURL: new URL("/tfjs/tfjs-backend-wasm-simd.wasm", location.href),
      });
    case "tfjs-webgpu":
      return createTfjsEngine(setup, { backend: "webgpu" });
    case "jax-js-wasm":
    case "jax-js-webgpu": {
      const { createJaxTrainer } = await import("./jax");
      return createJaxTrainer(setup, name === "jax-js-wasm" ? "wasm" : "webgpu");
    }
  }
  throw new Error(`There is no engine ${name}.`);
}

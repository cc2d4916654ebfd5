/** The engines and peers that run in the browser, with one interface. */
import { buildDataset } from "../../worker/data/dataset";
import type { Vocabulary } from "../../worker/data/vocabulary";
import type { Engine, EngineSetup } from "../../worker/engines/engine";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { type ArchitectureName, architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import type { Optimizer } from "../../worker/optimizers";

/** The task of all engines: the same words, weights and minibatches. */
export interface Task {
  /** Default: the lecture's WaveNet. */
  readonly model?: ArchitectureName;
  /** One word a line. */
  readonly words: string;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  readonly seed: number;
  readonly split: readonly [number, number, number];
  readonly shuffle: boolean;
}

/** The part of an engine that the bench needs. */
export type Trainer = Pick<Engine, "device" | "run" | "dispose">;

/** The model at the beginning of its training. */
export function setUp(task: Task): EngineSetup & { vocabulary: Vocabulary } {
  const { seed, optimizer, batchSize } = task;
  const { vocabulary, train } = buildDataset(task.words, task);
  const network = buildNetwork(architecture(task.model ?? "wavenet"), vocabulary.size);
  const parameters = initialParameters(network, seed);
  return { network, parameters, optimizer, stream: train, seed, batchSize, vocabulary };
}

/** Makes an engine or peer by its name in `--engines`. Loads a peer only if it is measured. */
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

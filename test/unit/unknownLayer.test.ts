/**
 * A layer that only tfjs and the ONNX window form support. Every call on a model with such a layer must be refused or
 * compute the layer; none may skip it.
 */
import { expect, test } from "vitest";
import type { Backend } from "../../src/types";
import type { TokenStream } from "../../worker/data/dataset";
import type { Engines } from "../../worker/engines";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { createWasmEngine } from "../../worker/engines/wasm";
import { createWebGPUEngine } from "../../worker/engines/webgpu";
import type { Layer } from "../../worker/model/layer";
import type { LayerSpec } from "../../worker/model/layers";
import { sequential } from "../../worker/model/network";
import { writeONNX } from "../../worker/onnx/write";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { chooseEngine } from "../../worker/training/chooseEngine";
import { randomCheckpoint, vocabularyOf } from "../checkpoint";
import { contextsOf, int32, runFile } from "../onnxRuntime";

const context = 4;
const stream: TokenStream = Uint8Array.from([0, 5, 13, 13, 1, 0, 1, 22, 1, 0]);
const positions = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

/** A chain of blocks, whose first Tanh is followed by a sine of its output. */
function withSine(): Checkpoint {
  const checkpoint = randomCheckpoint(
    [
      { type: "Embedding", dimensions: 3 },
      { type: "FlattenConsecutive", n: context },
      { type: "Linear", fanOut: 6 },
      { type: "Tanh" },
      { type: "Linear" },
    ],
    vocabularyOf(27),
  );
  const layers = checkpoint.network.layers.flatMap((layer) =>
    layer.spec.type === "Tanh" ? [layer, sineAfter(layer)] : [layer],
  );
  const { contextLength, vocabularySize } = checkpoint.network;
  return { ...checkpoint, network: sequential(layers, contextLength, vocabularySize) };
}

/** Three times the sine, so that it differs from the identity. */
function sineAfter({ outputShape, spec }: Layer<LayerSpec>): Layer<LayerSpec> {
  return {
    name: "sine1",
    spec,
    inputShape: outputShape,
    outputShape,
    parameters: [],
    forward: (x) => x.sin().mul(3),
    onnx: (graph, input) => {
      const sine = graph.node("Sin", [input], {}, "sine1");
      return graph.node("Mul", [sine, graph.constant("float", [3], [], "sine1")], {}, "sine1");
    },
  };
}

const checkpoint = withSine();
const { network, parameters, recipe } = checkpoint;
const setup = {
  network,
  parameters,
  optimizer: recipe.optimizer,
  stream,
  seed: 1,
  batchSize: positions.length,
};
const engines: Engines = {
  wasm: createWasmEngine,
  webgpu: createWebGPUEngine,
  tfjs: (given) => createTfjsEngine(given, { backend: "cpu" }),
};

test("the model is not a chain of blocks, and every fused engine refuses it", async () => {
  expect(network.chain).toBeUndefined();
  for (const create of [createWasmEngine, createWebGPUEngine])
    await expect(create(setup)).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test.each<Backend | "auto">(["auto", "webgpu", "wasm", "tfjs"])(
  "backend %s trains the model with tfjs, including the layer",
  async (backend) => {
    const { engine } = await chooseEngine(backend, setup, engines, new Map());
    expect(engine.backend).toBe("tfjs");
    // The model has no norm, so the first loss must equal that of the exported graph in ONNX Runtime.
    const [loss = Number.NaN] = await engine.run(0, new Float32Array(1), positions);
    engine.dispose();
    const words = [
      [5, 13, 13, 1],
      [1, 22, 1],
    ];
    const { values } = await runFile(writeONNX(checkpoint, { form: "window", trainingState: false }), {
      context: int32(words.flatMap((word) => contextsOf(word, context))),
    });
    const targets = words.flatMap((word) => [...word, 0]);
    const losses = targets.map((target, row) => {
      const logits = values.subarray(row * 27, (row + 1) * 27);
      return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (logits[target] ?? 0);
    });
    const used = [...positions].map((position) => losses[position - 1] ?? Number.NaN);
    expect(loss).toBeCloseTo(used.reduce((a, b) => a + b, 0) / used.length, 5);
  },
);

test("the forms that need blocks refuse it", () => {
  for (const form of ["convolution", "incremental"] as const)
    expect(() => writeONNX(checkpoint, { form, trainingState: false })).toThrow(
      expect.objectContaining({ code: "INVALID_MODEL", message: expect.stringContaining("sine1") }),
    );
});

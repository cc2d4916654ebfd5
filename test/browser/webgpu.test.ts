/** The numbers of the fused WebGPU engine, against PyTorch, a float64 reference and tfjs. */
import { afterEach, expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { tf } from "../../worker/engines/tfjs/backend";
import { sharedTensors } from "../../worker/engines/tfjs/sharedTensors";
import { createWebGPUEngine } from "../../worker/engines/webgpu";
import {
  GPU_SHAPE,
  type Shape,
  SOFTWARE_SHAPE,
  type Tiles,
} from "../../worker/engines/webgpu/kernels/workgroup";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, type Network } from "../../worker/model/network";
import { adamw, sgd, smoothAdamw, someRates, someSetup } from "../engineSetups";
import {
  type EngineUnderTest,
  type ReferenceCase,
  type RepeatedRuns,
  testNumbers,
  testRuns,
} from "../engineSuite";
import { largestDifference, pytorchRecipes } from "../pytorch";
import { Reference } from "../reference";
import { create, disposeAll } from "../webgpuEngine";

afterEach(disposeAll);

const wavenet = (contextLength: number, embedding: number, hidden: number, folds?: number[]) =>
  architecture({ contextLength, embedding, hidden, ...(folds ? { folds } : {}) });

/** Biases everywhere, a norm after a bias, levels without norm or tanh, Linear after Linear: seven weights. */
const mixed: LayerSpec[] = [
  { type: "Embedding", dimensions: 6 },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear", fanOut: 10 },
  { type: "BatchNorm1d", momentum: 0.2, epsilon: 1e-3 },
  { type: "Tanh" },
  { type: "Linear", fanOut: 9, bias: false },
  { type: "BatchNorm1d" },
  { type: "FlattenConsecutive", n: 2 },
  { type: "Linear", fanOut: 20 },
  { type: "Tanh" },
  { type: "Linear", fanOut: 17, bias: false },
  { type: "Linear", fanOut: 16 },
  { type: "Linear", fanOut: 5 },
  { type: "Tanh" },
  { type: "Linear", bias: false },
];
const bare: LayerSpec[] = [
  { type: "Embedding", dimensions: 4 },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear" },
];
const oneExample: LayerSpec[] = [
  { type: "Embedding", dimensions: 6 },
  { type: "FlattenConsecutive", n: 4 },
  { type: "Linear", fanOut: 68, bias: false },
  { type: "BatchNorm1d" },
  { type: "Tanh" },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear", fanOut: 5 },
  { type: "Tanh" },
  { type: "Linear" },
];

/** A head that joins five neighbours. */
const foldedHead: LayerSpec[] = [
  { type: "Embedding", dimensions: 4 },
  { type: "FlattenConsecutive", n: 2 },
  { type: "Linear", fanOut: 6, bias: false },
  { type: "BatchNorm1d" },
  { type: "Tanh" },
  { type: "FlattenConsecutive", n: 5 },
  { type: "Linear" },
];

const smallCases: readonly ReferenceCase[] = [
  {
    name: "two ids, hidden 5, folds 3 and 4, batch 7",
    specs: wavenet(12, 3, 5, [3, 4]),
    vocabulary: 2,
    batchSize: 7,
    optimizer: sgd,
  },
  {
    name: "a head that joins five",
    specs: foldedHead,
    vocabulary: 3,
    batchSize: 5,
    optimizer: smoothAdamw,
  },
  {
    name: "300 ids, two bytes each, hidden 40, fold 4",
    specs: wavenet(4, 70, 40, [4]),
    vocabulary: 300,
    batchSize: 7,
    optimizer: smoothAdamw,
  },
];
const cases: readonly ReferenceCase[] = [
  ...smallCases,
  {
    name: "folds 2 and 6",
    specs: wavenet(12, 3, 5, [2, 6]),
    vocabulary: 3,
    batchSize: 9,
    optimizer: smoothAdamw,
  },
  { name: "folds 2 and 7", specs: wavenet(14, 3, 5, [2, 7]), vocabulary: 3, batchSize: 9, optimizer: sgd },
  {
    name: "28 ids, hidden 68, batch 100",
    specs: wavenet(8, 10, 68),
    vocabulary: 28,
    batchSize: 100,
    optimizer: smoothAdamw,
  },
  {
    name: "batch 300: more rows than registers hold",
    specs: wavenet(8, 40, 36),
    vocabulary: 5,
    batchSize: 300,
    optimizer: smoothAdamw,
  },
  {
    name: "batch 300, hidden 12",
    specs: wavenet(8, 6, 12),
    vocabulary: 5,
    batchSize: 300,
    optimizer: sgd,
  },
  {
    name: "biases, norms and tanhs left out, seven weights",
    specs: mixed,
    vocabulary: 28,
    batchSize: 7,
    optimizer: smoothAdamw,
  },
  { name: "one example", specs: oneExample, vocabulary: 28, batchSize: 1, optimizer: sgd },
  { name: "nothing but a head", specs: bare, vocabulary: 28, batchSize: 100, optimizer: smoothAdamw },
];

const webgpu = {
  says: { backend: "webgpu" },
  runs: ["mlp", "wavenet"],
} as const;
/** The shape for a software adapter. Both shapes compute the same numbers, up to rounding. */
const onSoftware: EngineUnderTest & RepeatedRuns = {
  ...webgpu,
  name: "webgpu, as on a software adapter",
  create: (setup) => createWebGPUEngine(setup, { shape: SOFTWARE_SHAPE }),
  recipes: pytorchRecipes(),
  cases,
  // A head of several vec4s, tokens of one and of two bytes, and more contexts than a u32 has bits.
  examplesWith: [
    { name: "small", specs: wavenet(4, 5, 12), vocabulary: 11, batchSize: 8 },
    { name: "300 ids", specs: bare, vocabulary: 300, batchSize: 8 },
  ],
  optimizers: [sgd, adamw],
  steps: 12,
};
/**
 * The shape for a GPU. With its 256 lanes a software adapter takes 10 s to compile a model, so only small models run in
 * it. The MLP is left out: "300 ids" has the same kernels, and PyTorch's WaveNet has all others.
 */
const onGPU: EngineUnderTest = {
  ...webgpu,
  runs: ["wavenet"],
  name: "webgpu, as on a GPU",
  create: (setup) => createWebGPUEngine(setup, { shape: GPU_SHAPE }),
  recipes: [],
  cases: smallCases,
  examplesWith: [],
};
/** Makes every level use tiles. By default levels as small as these do not. */
const allTiled = (tiles: Tiles): Shape => ({
  ...SOFTWARE_SHAPE,
  tiles: { ...tiles, from: { rows: 0, multiplyAdds: 0 } },
});
const inTiles: EngineUnderTest = {
  ...webgpu,
  name: "webgpu in tiles, as on a software adapter",
  create: (setup) => createWebGPUEngine(setup, { shape: allTiled(SOFTWARE_SHAPE.tiles) }),
  runs: [],
  recipes: [],
  cases: [
    {
      name: "batch 70, hidden 68 and 20: some tiles are not full; biases before a norm and without",
      specs: [
        { type: "Embedding", dimensions: 10 },
        { type: "FlattenConsecutive", n: 2 },
        { type: "Linear", fanOut: 68, bias: false },
        { type: "BatchNorm1d" },
        { type: "Tanh" },
        { type: "FlattenConsecutive", n: 3 },
        { type: "Linear", fanOut: 68 },
        { type: "BatchNorm1d" },
        { type: "Tanh" },
        { type: "Linear", fanOut: 20 },
        { type: "Tanh" },
        { type: "Linear" },
      ],
      vocabulary: 28,
      batchSize: 70,
      optimizer: smoothAdamw,
    },
  ],
  examplesWith: [],
};
/** Uses the GPU's shape for the matrix products only, because tiles change nothing else. */
const inLargeTiles: EngineUnderTest = {
  ...inTiles,
  name: "webgpu in tiles, as on a GPU",
  create: (setup) => createWebGPUEngine(setup, { shape: allTiled({ ...GPU_SHAPE.tiles, few: 0 }) }),
};
testNumbers([onSoftware, onGPU, inTiles, inLargeTiles]);
testRuns([onSoftware]);

test("a run with more steps than one command buffer holds gives the same numbers", async () => {
  const setup = someSetup(buildNetwork(bare, 3), { batchSize: 1 });
  const rates = someRates(2050, 0.001);
  const [whole, parts] = [await create(setup), await create(setup)];
  const losses = await whole.run(0, rates);
  expect(losses).toHaveLength(2050);
  const first = await parts.run(0, rates.subarray(0, 2045));
  expect([...first, ...(await parts.run(2045, rates.subarray(2045)))]).toEqual([...losses]);
  expect(await whole.run(2050, new Float32Array(0))).toHaveLength(0);
});

test("tfjs reads the engine's own buffers, and training goes on", async () => {
  const network = buildNetwork(architecture({ contextLength: 4, embedding: 8, hidden: 16 }), 11);
  const setup = someSetup(network, { optimizer: smoothAdamw });
  const reference = new Reference(setup);
  const engine = await create(setup);
  const rates = someRates(4, 0.002);
  await engine.run(0, rates);
  reference.run(0, rates);
  const held = await sharedTensors(engine);
  const contexts = [
    [0, 0, 0, 1],
    [1, 2, 3, 4],
    [10, 9, 0, 0],
  ];
  const logits = evaluate(network, held, contexts);
  expect(largestDifference(await logits.data(), reference.logits(contexts))).toBeLessThan(1e-5);
  logits.dispose();

  // Commands that tfjs queued before the next run must read the weights from before it.
  const before = (await engine.read()).parameters;
  const weight = held.get("linear2.weight");
  const copy = weight?.clone().add(0);
  await engine.run(4, rates);
  expect(await copy?.data()).toEqual(before.get("linear2.weight"));
  // These tensors share the engine's buffers, so they have the current numbers.
  const { parameters } = await engine.read();
  for (const name of ["embedding.weight", "linear1.weight", "linear2.weight"])
    expect(await held.get(name)?.data(), name).toEqual(parameters.get(name));
  // The other tensors are copies: the held one from before the run, the new one from after it.
  expect(await held.get("linear3.weight")?.data()).toEqual(before.get("linear3.weight"));
  const now = await sharedTensors(engine);
  expect(new Set(now.keys())).toEqual(new Set(parameters.keys()));
  for (const [name, tensor] of now) expect(await tensor.data(), name).toEqual(parameters.get(name));
  tf.dispose([copy ?? [], ...held.values(), ...now.values()]);

  // Disposing of the tensors did not destroy the engine's buffers.
  expect((await engine.read()).parameters).toEqual(parameters);
});

/** Computes logits in evaluation mode with the layers' forward passes. */
function evaluate(network: Network, tensors: Map<string, tf.Tensor>, contexts: number[][]): tf.Tensor {
  return tf.tidy(() => {
    let x: tf.Tensor = tf.tensor2d(contexts, undefined, "int32");
    for (const layer of network.layers)
      x = layer.forward(x, {
        tf,
        training: false,
        value: (name) => tensors.get(name) ?? expect.fail(name),
        update: (name) => expect.fail(`evaluation moves ${name}`),
      });
    return x.reshape([contexts.length, network.vocabularySize]);
  });
}

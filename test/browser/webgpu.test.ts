/** The numbers of the fused WebGPU engine, against PyTorch, a float64 reference and tfjs. */
import { afterEach, describe, expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { drawBatch } from "../../worker/data/dataset";
import { prepareExamples } from "../../worker/data/examples";
import type { EngineSetup } from "../../worker/engines/engine";
import { tf } from "../../worker/engines/tfjs/backend";
import { GPU_SHAPE, SOFTWARE_SHAPE } from "../../worker/engines/webgpu/kernels/lanes";
import { architecture } from "../../worker/model/architectures";
import type { Parameters } from "../../worker/model/layer";
import { buildNetwork, type Network } from "../../worker/model/network";
import { followsRecipe } from "../followsRecipe";
import { expectMoments } from "../moments";
import { allowedDifference, largestDifference, pytorchRecipes, pytorchRun } from "../pytorch";
import { Reference } from "../reference";
import { adamw, create, disposeAll, sgd, small, someRates, someSetup } from "../webgpuEngine";

afterEach(disposeAll);

function expectFollows(
  actual: Parameters,
  expected: ReadonlyMap<string, ArrayLike<number>>,
  before: Parameters,
  steps: number,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected) {
    // A bias before a norm has a gradient of 0, and in the reference of a float64's rounding error.
    const allowed = 1e-10 + allowedDifference(before.get(name) ?? [], values, steps);
    expect(largestDifference(actual.get(name) ?? [], values), name).toBeLessThanOrEqual(allowed);
  }
}

/** What a GPU gets and what a software adapter gets: both compute the same, up to rounding. */
const shapes = [
  { on: "a GPU", shape: GPU_SHAPE },
  { on: "a software adapter", shape: SOFTWARE_SHAPE },
];

test.each((["mlp", "wavenet"] as const).flatMap((name) => shapes.map((shape) => ({ name, ...shape }))))(
  "follows PyTorch step by step: $name, as on $on",
  async ({ name, shape }) => {
    const run = pytorchRun(name);
    const { network, parameters, stream, batchSize } = run;
    const engine = await create(
      { network, parameters, stream, batchSize, optimizer: sgd, seed: 0 },
      { shape },
    );
    expect(engine.backend).toBe("webgpu");
    const losses = await engine.run(0, run.learningRates, run.positions);
    expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
    const state = await engine.read();
    expectFollows(state.parameters, new Map([...run.after, ...run.running]), parameters, losses.length);
    expect(state.optimizerState).toBeUndefined();
  },
);

/**
 * Where a gradient is 0 but for rounding, Adam with a small epsilon makes a whole step of its
 * sign: no two implementations agree there. With this one they do, and all else is tested alike.
 */
const smoothAdamw = { ...adamw, epsilon: 1e-3 };

const wavenet = (contextLength: number, embedding: number, hidden: number, folds?: number[]) =>
  architecture({ contextLength, embedding, hidden, ...(folds ? { folds } : {}) });

/** Biases everywhere, a norm after a bias, levels without norm or tanh, Linear upon Linear: seven weights. */
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

type Case = readonly [
  name: string,
  specs: readonly LayerSpec[],
  vocabulary: number,
  batchSize: number,
  optimizer: EngineSetup["optimizer"],
];
const smallCases: readonly Case[] = [
  ["two ids, hidden 5, folds 3 and 4, batch 7", wavenet(12, 3, 5, [3, 4]), 2, 7, sgd],
  ["a head that joins five", foldedHead, 3, 5, smoothAdamw],
  ["300 ids, two bytes each, hidden 200, fold 4", wavenet(4, 70, 200, [4]), 300, 7, smoothAdamw],
];
const cases: readonly Case[] = [
  ...smallCases,
  ["folds 2 and 6", wavenet(12, 3, 5, [2, 6]), 3, 9, smoothAdamw],
  ["folds 2 and 7", wavenet(14, 3, 5, [2, 7]), 3, 9, sgd],
  ["28 ids, hidden 68, batch 100", wavenet(8, 10, 68), 28, 100, smoothAdamw],
  ["batch 300: more rows than registers hold", wavenet(8, 40, 36), 5, 300, smoothAdamw],
  ["batch 300, hidden 12", wavenet(8, 6, 12), 5, 300, sgd],
  ["biases, norms and tanhs left out, seven weights", mixed, 28, 7, smoothAdamw],
  ["one example", oneExample, 28, 1, sgd],
  ["nothing but a head", bare, 28, 100, smoothAdamw],
];

/** With 256 lanes a software adapter takes 10 s to compile a model, so only small ones run as on a GPU. */
describe.each([
  { on: "a GPU", shape: GPU_SHAPE, cases: smallCases },
  { on: "a software adapter", shape: SOFTWARE_SHAPE, cases },
])("as on $on", ({ shape, cases }) => {
  test.each(cases)(
    "follows the float64 reference: %s",
    async (_, specs, vocabulary, batchSize, optimizer) => {
      const network = buildNetwork(specs, vocabulary);
      const setup = someSetup(network, { optimizer, batchSize });
      const reference = new Reference(setup);
      const engine = await create(setup, { shape });
      const rates = someRates(6, optimizer.type === "sgd" ? 0.1 : 0.002);
      expect(largestDifference(await engine.run(0, rates), reference.run(0, rates))).toBeLessThan(1e-5);
      const { parameters, optimizerState } = await engine.read();
      expectFollows(parameters, reference.parameters, setup.parameters, rates.length);
      if (optimizer.type === "sgd") expect(optimizerState).toBeUndefined();
      else expectMoments(optimizerState, reference.moments);
    },
  );
});

/** With a head of several vec4s, tokens of one and of two bytes, and more contexts than a word of bits. */
const examplesOf = [
  { order: "even", targets: "hard", teacher: "none" },
  { order: "even", targets: "soft", teacher: "ngram" },
  { order: "random", targets: "soft", teacher: "none" },
] as const;

test.each(
  examplesOf.flatMap((choice) => [small, buildNetwork(bare, 300)].map((network) => ({ ...choice, network }))),
)("follows the float64 reference: $order order, $targets targets, teacher $teacher", async (given) => {
  const { network, ...choice } = given;
  const { stream } = someSetup(network);
  const examples = prepareExamples(stream, network, { ...choice, steps: 10 });
  const setup = someSetup(network, { optimizer: sgd, ...(examples ? { examples } : {}) });
  const reference = new Reference(setup);
  const engine = await create(setup);
  const rates = someRates(4, 0.1);
  // Far on, examples drawn are more than 2^32; a teacher works at the beginning.
  const first = choice.teacher === "none" ? 1_000_000_007 : 5;
  expect(largestDifference(await engine.run(first, rates), reference.run(first, rates))).toBeLessThan(1e-5);
  const { parameters } = await engine.read();
  expectFollows(parameters, reference.parameters, setup.parameters, rates.length);
  // Positions that are given have hard targets.
  const positions = Uint32Array.from({ length: 2 * setup.batchSize }, (_, i) => 1 + i * 3);
  const two = someRates(2, 0.1);
  expect(
    largestDifference(await engine.run(0, two, positions), reference.run(0, two, positions)),
  ).toBeLessThan(1e-5);
});

test.each(pytorchRecipes())("follows PyTorch's recipe: $name", (recipe) => followsRecipe(recipe, create));

test("draws the minibatches that drawBatch draws", async () => {
  const setup = someSetup(small);
  const { stream, seed, batchSize } = setup;
  const steps = 20;
  const positions = Uint32Array.from(
    Array.from({ length: steps }, (_, i) => [...drawBatch(stream, seed, 1000 + i, batchSize)]).flat(),
  );
  const drawn = await create(setup);
  const given = await create(setup);
  const rates = someRates(steps);
  expect(await drawn.run(1000, rates)).toEqual(await given.run(1000, rates, positions));
  expect(await drawn.read()).toEqual(await given.read());
});

describe.each([sgd, adamw])("$type", (optimizer) => {
  test("the same run gives the same bits, in whatever chunks, and goes on from what read() gave", async () => {
    const setup = someSetup(small, { optimizer });
    const rates = someRates(12);
    const whole = await create(setup);
    const losses = await whole.run(0, rates);
    const state = await whole.read();

    const parts = await create(setup);
    expect(await parts.run(0, rates.subarray(0, 5))).toEqual(losses.slice(0, 5));
    const between = await parts.read();
    expect(await parts.run(5, rates.subarray(5))).toEqual(losses.slice(5));
    expect(await parts.read()).toEqual(state);

    const resumed = await create({ ...setup, ...between });
    expect(await resumed.run(5, rates.subarray(5))).toEqual(losses.slice(5));
    expect(await resumed.read()).toEqual(state);
  });
});

test("a run of more steps than one command buffer holds is the same run", async () => {
  const setup = someSetup(buildNetwork(bare, 3), { batchSize: 1 });
  const rates = someRates(2050, 0.001);
  const [whole, parts] = [await create(setup), await create(setup)];
  const losses = await whole.run(0, rates);
  expect(losses).toHaveLength(2050);
  const first = await parts.run(0, rates.subarray(0, 2045));
  expect([...first, ...(await parts.run(2045, rates.subarray(2045)))]).toEqual([...losses]);
  expect(await whole.run(2050, new Float32Array(0))).toHaveLength(0);
});

test("tfjs evaluates and goes on from the engine's own buffers", async () => {
  const network = buildNetwork(architecture({ contextLength: 4, embedding: 8, hidden: 16 }), 11);
  const setup = someSetup(network, { optimizer: smoothAdamw });
  const reference = new Reference(setup);
  const engine = await create(setup);
  const rates = someRates(4, 0.002);
  await engine.run(0, rates);
  reference.run(0, rates);
  const held = await engine.tensors();
  const contexts = [
    [0, 0, 0, 1],
    [1, 2, 3, 4],
    [10, 9, 0, 0],
  ];
  const logits = evaluate(network, held, contexts);
  expect(largestDifference(await logits.data(), reference.logits(contexts))).toBeLessThan(1e-5);
  logits.dispose();

  // Commands that tfjs has not sent yet see the numbers of before the next run.
  const before = (await engine.read()).parameters;
  const weight = held.get("linear2.weight");
  const copy = weight?.clone().add(0);
  await engine.run(4, rates);
  expect(await copy?.data()).toEqual(before.get("linear2.weight"));
  // A tensor over the buffer is what the buffer has now.
  const { parameters } = await engine.read();
  for (const name of ["embedding.weight", "linear1.weight", "linear2.weight"])
    expect(await held.get(name)?.data(), name).toEqual(parameters.get(name));
  // The others are copies, of then and of now.
  expect(await held.get("linear3.weight")?.data()).toEqual(before.get("linear3.weight"));
  const now = await engine.tensors();
  expect(new Set(now.keys())).toEqual(new Set(parameters.keys()));
  for (const [name, tensor] of now) expect(await tensor.data(), name).toEqual(parameters.get(name));
  tf.dispose([copy ?? [], ...held.values(), ...now.values()]);

  // Disposing of tensors leaves the engine its buffers.
  expect((await engine.read()).parameters).toEqual(parameters);
});

/** Evaluation-mode logits, by the layers' own forward passes. */
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

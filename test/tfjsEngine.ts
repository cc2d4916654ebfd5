/** What the tfjs engine must do on any tfjs backend; the unit and browser tests each bring theirs. */
import { afterEach, expect, test } from "vitest";
import type { AdamW, LayerSpec, SGD } from "../src/types";
import type { TokenStream } from "../worker/data/dataset";
import type { Engine, EngineSetup, EngineState } from "../worker/engines/engine";
import { createTfjsEngine, type TfjsOptions } from "../worker/engines/tfjs";
import { openBackend, tf } from "../worker/engines/tfjs/backend";
import { architecture } from "../worker/model/architectures";
import type { Parameters } from "../worker/model/layer";
import { buildNetwork, initialParameters, type Network } from "../worker/model/network";
import type { Complete } from "../worker/validation";
import { followsRecipe } from "./followsRecipe";
import { allowedDifference, largestDifference, pytorchRecipes, pytorchRun } from "./pytorch";
import { Reference } from "./reference";

const adamw: Complete<AdamW> = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };
const sgd: SGD = { type: "sgd" };

/** Words of all lengths up to 9 over ids 1 to vocabularySize - 1. */
function someStream(vocabularySize: number): TokenStream {
  const tokens = [0];
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k <= i % 9; k++) tokens.push(1 + ((i * 7 + k * k * 3) % (vocabularySize - 1)));
    tokens.push(0);
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

function someSetup(network: Network, change: Partial<EngineSetup> = {}): EngineSetup {
  return {
    network,
    parameters: initialParameters(network, 1),
    optimizer: sgd,
    stream: someStream(network.vocabularySize),
    seed: 5,
    batchSize: 8,
    ...change,
  };
}

const small = buildNetwork(architecture({ contextLength: 4, embedding: 5, hidden: 12 }), 11);
const bare: LayerSpec[] = [
  { type: "Embedding", dimensions: 6 },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear", fanOut: 10, bias: false },
  { type: "Tanh" },
  { type: "Linear" },
];
const normAfterTanh: LayerSpec[] = [
  { type: "Embedding", dimensions: 6 },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear", fanOut: 20 },
  { type: "Tanh" },
  { type: "BatchNorm1d", momentum: 0.2, epsilon: 1e-3 },
  { type: "Linear", fanOut: 10 },
  { type: "Tanh" },
  { type: "Tanh" },
  { type: "Linear" },
];

/** Evaluation-mode logits by the layers themselves. */
async function evaluate(network: Network, parameters: Parameters, contexts: readonly number[][]) {
  const logits = tf.tidy(() => {
    let x: tf.Tensor = tf.tensor2d([...contexts], undefined, "int32");
    for (const layer of network.layers)
      x = layer.forward(x, {
        tf,
        training: false,
        value: (name) => {
          const shape = network.parameters.find((p) => p.name === name)?.shape ?? [];
          return tf.tensor((parameters.get(name) ?? new Float32Array()).slice(), [...shape]);
        },
        update: (name) => expect.fail(`evaluation moves ${name}`),
      });
    return x;
  });
  const values = await logits.data();
  logits.dispose();
  return values;
}

function expectSameBits(a: EngineState, b: EngineState): void {
  expect(a.parameters).toEqual(b.parameters);
  expect(a.optimizerState).toEqual(b.optimizerState);
}

type Case = readonly [
  name: string,
  optimizer: EngineSetup["optimizer"],
  specs: readonly LayerSpec[],
  vocabulary: number,
  batchSize: number,
];
const four = architecture({ contextLength: 4, embedding: 5, hidden: 12 });
const smallAdamW: Case = ["adamw", adamw, four, 11, 8];
const unlikeBlocks: Case = ["layers the fast engines refuse", adamw, normAfterTanh, 28, 16];
const cases: readonly Case[] = [
  smallAdamW,
  unlikeBlocks,
  ["sgd", sgd, four, 11, 8],
  ["a large vocabulary", adamw, architecture({ contextLength: 3, embedding: 4, hidden: 9 }), 300, 7],
  [
    "two ids, folds 3 and 4",
    sgd,
    architecture({ contextLength: 12, embedding: 3, hidden: 5, folds: [3, 4] }),
    2,
    100,
  ],
  ["one example, no norm", adamw, bare, 28, 1],
];

/**
 * Defines the tests.
 *
 * @param slow leaves out what says little more: a software GPU compiles a kernel for every shape,
 *   and takes minutes for all of them
 */
export function testTfjsEngine(options: TfjsOptions, { slow = false } = {}): void {
  const some = <T>(all: readonly T[], few: readonly T[]) => (slow ? few : all);
  const optimizers = some<EngineSetup["optimizer"]>([sgd, adamw], [adamw]);
  const engines: Engine[] = [];
  const make = async (setup: EngineSetup) => {
    const engine = await createTfjsEngine(setup, options);
    engines.push(engine);
    return engine;
  };
  afterEach(async () => {
    for (const engine of engines.splice(0)) engine.dispose();
    await tf.ready();
    expect(tf.memory().numTensors).toBe(0);
  });

  test.each(some<"mlp" | "wavenet">(["mlp", "wavenet"], ["wavenet"]))(
    "follows PyTorch step by step: %s",
    async (name) => {
      const run = pytorchRun(name);
      const { network, parameters, stream, batchSize } = run;
      const engine = await make({ network, parameters, stream, batchSize, optimizer: sgd, seed: 0 });
      expect(engine.backend).toBe("tfjs");
      const losses = await engine.run(0, run.learningRates, run.positions);
      expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
      const state = await engine.read();
      for (const [key, expected] of [...run.after, ...run.running]) {
        const allowed = allowedDifference(parameters.get(key) ?? [], expected, run.losses.length);
        expect(largestDifference(state.parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
      }
      const { contexts, logits } = run.evaluation;
      expect(
        largestDifference(await evaluate(network, state.parameters, [...contexts]), logits.flat()),
      ).toBeLessThan(1e-4);
    },
  );

  test.each(pytorchRecipes().slice(slow ? -1 : 0))("follows PyTorch's recipe: $name", (recipe) =>
    followsRecipe(recipe, make),
  );

  test.each(some(cases, [smallAdamW, unlikeBlocks]))(
    "follows the float64 reference: %s",
    async (_, optimizer, specs, vocabulary, batchSize) => {
      const network = buildNetwork(specs, vocabulary);
      const setup = someSetup(network, { optimizer, batchSize });
      const reference = new Reference(setup);
      const engine = await make(setup);
      const rates = Float32Array.from(
        { length: 10 },
        (_, i) => (optimizer.type === "sgd" ? 0.1 : 0.002) * (1 - i / 20),
      );
      expect(largestDifference(await engine.run(0, rates), reference.run(0, rates))).toBeLessThan(1e-5);
      const { parameters, optimizerState } = await engine.read();
      for (const [key, expected] of reference.parameters) {
        const allowed = allowedDifference(setup.parameters.get(key) ?? [], expected, rates.length);
        expect(largestDifference(parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
      }
      expect(optimizerState === undefined).toBe(optimizer.type === "sgd");
    },
  );

  test("the network that it alone trains is not a chain of blocks", () => {
    expect(buildNetwork(normAfterTanh, 28).chain).toBeUndefined();
  });

  test.each(optimizers)("the same run gives the same bits: $type", async (optimizer) => {
    const setup = someSetup(small, { optimizer });
    const rates = new Float32Array(12).fill(0.01);
    const [a, b] = [await make(setup), await make(setup)];
    expect(await a.run(0, rates)).toEqual(await b.run(0, rates));
    expectSameBits(await a.read(), await b.read());
  });

  test.each(optimizers)("goes on from what read() gave as if never stopped: $type", async (optimizer) => {
    const setup = someSetup(small, { optimizer });
    const rates = Float32Array.from({ length: 12 }, (_, i) => 0.01 / (i + 1));
    const whole = await make(setup);
    const losses = await whole.run(0, rates);
    const first = await make(setup);
    await first.run(0, rates.subarray(0, 5));
    const second = await make({ ...setup, ...(await first.read()) });
    expect(await second.run(5, rates.subarray(5))).toEqual(losses.slice(5));
    expectSameBits(await second.read(), await whole.read());
  });

  test("reading in between changes nothing, and what was read does not change", async () => {
    const setup = someSetup(small, { optimizer: adamw });
    const [watched, alone] = [await make(setup), await make(setup)];
    const rates = new Float32Array(3).fill(0.01);
    await watched.run(0, rates);
    const early = await watched.read();
    const copy = structuredClone(early);
    await watched.run(3, rates);
    expectSameBits(early, copy);
    await alone.run(0, rates);
    await alone.run(3, rates);
    expectSameBits(await watched.read(), await alone.read());
    expect(setup.parameters).toEqual(initialParameters(small, 1));
  });

  test("no tensor is left from step to step, and none after dispose", async () => {
    for (const optimizer of optimizers) {
      const engine = await make(someSetup(small, { optimizer }));
      const before = tf.memory().numTensors;
      expect(before).toBe(
        small.parameters.length +
          (optimizer.type === "adamw" ? 2 : 0) * small.parameters.filter((p) => p.trainable).length,
      );
      await engine.run(0, new Float32Array(1).fill(0.01));
      const { numTensors, numBytes } = tf.memory();
      expect(numTensors).toBe(before);
      for (let i = 1; i < 20; i++) await engine.run(i, new Float32Array(1).fill(0.01));
      await engine.read();
      expect(tf.memory()).toMatchObject({ numTensors, numBytes });
      expect(await engine.run(20, new Float32Array(0))).toEqual(new Float32Array(0));
      engine.dispose();
      engine.dispose();
      expect(tf.memory()).toMatchObject({ numTensors: 0, numBytes: 0 });
    }
  });

  test("two engines on different backends take turns", async () => {
    const setup = someSetup(small);
    const rates = new Float32Array(4).fill(0.05);
    const cpu = await createTfjsEngine(setup, { backend: "cpu" });
    engines.push(cpu);
    const engine = await make(setup);
    for (let step = 0; step < 12; step += 4)
      expect(largestDifference(await engine.run(step, rates), await cpu.run(step, rates))).toBeLessThan(1e-5);
    await openBackend("cpu");
    expect((await engine.read()).parameters.size).toBe(small.parameters.length);
  });
}

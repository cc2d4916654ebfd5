/** Tests that the tfjs engine must pass on any tfjs backend; the unit and browser tests run them. */
import { afterEach, describe, expect, test } from "vitest";
import type { LayerSpec } from "../src/types";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import { createTfjsEngine, type TfjsOptions } from "../worker/engines/tfjs";
import { openBackend, tf } from "../worker/engines/tfjs/backend";
import { architecture } from "../worker/model/architectures";
import type { Parameters } from "../worker/model/layer";
import { buildNetwork, type Network } from "../worker/model/network";
import { adamw, sgd, small, someSetup } from "./engineSetups";
import {
  type EngineUnderTest,
  type ReferenceCase,
  type RepeatedRuns,
  testNumbers,
  testRuns,
} from "./engineSuite";
import { largestDifference, pytorchRecipes, pytorchRun } from "./pytorch";

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

/** Computes logits in evaluation mode with the layers' forward passes. */
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

const four = architecture({ contextLength: 4, embedding: 5, hidden: 12 });
const usual: readonly ReferenceCase[] = [
  { name: "four characters", optimizer: adamw, specs: four, vocabulary: 11, batchSize: 8 },
  {
    name: "layers the fast engines refuse",
    optimizer: adamw,
    specs: normAfterTanh,
    vocabulary: 28,
    batchSize: 16,
  },
];
const cases: readonly ReferenceCase[] = [
  ...usual,
  { name: "four characters", optimizer: sgd, specs: four, vocabulary: 11, batchSize: 8 },
  {
    name: "a large vocabulary",
    optimizer: adamw,
    specs: architecture({ contextLength: 3, embedding: 4, hidden: 9 }),
    vocabulary: 300,
    batchSize: 7,
  },
  {
    name: "two ids, folds 3 and 4",
    optimizer: sgd,
    specs: architecture({ contextLength: 12, embedding: 3, hidden: 5, folds: [3, 4] }),
    vocabulary: 2,
    batchSize: 100,
  },
  { name: "one example, no norm", optimizer: adamw, specs: bare, vocabulary: 28, batchSize: 1 },
];

/**
 * Defines the tests.
 *
 * @param slow leaves out tests that add little
 */
export function testTfjsEngine(options: TfjsOptions, { slow = false } = {}): void {
  const optimizers = slow ? [adamw] : [sgd, adamw];
  const allDisposed = async () => {
    await tf.ready();
    expect(tf.memory().numTensors).toBe(0);
  };

  const runs = slow ? (["wavenet"] as const) : (["mlp", "wavenet"] as const);
  const engine: EngineUnderTest & RepeatedRuns = {
    name: `tfjs on ${options.backend}`,
    says: { backend: "tfjs" },
    create: (setup) => createTfjsEngine(setup, options),
    runs,
    recipes: pytorchRecipes().slice(slow ? -1 : 0),
    cases: slow ? usual : cases,
    examplesWith: slow ? [] : [{ name: "four characters", specs: four, vocabulary: 11, batchSize: 8 }],
    optimizers,
    steps: 12,
    afterDispose: allDisposed,
  };
  testNumbers([engine]);
  testRuns([engine]);

  describe(`on ${options.backend}`, () => {
    const engines: Engine[] = [];
    const make = async (setup: EngineSetup) => {
      const engine = await createTfjsEngine(setup, options);
      engines.push(engine);
      return engine;
    };
    afterEach(async () => {
      for (const engine of engines.splice(0)) engine.dispose();
      await allDisposed();
    });

    test.each(runs)("the layers' forward passes give PyTorch's logits: %s", async (name) => {
      const { network, parameters, stream, batchSize, ...run } = pytorchRun(name);
      const engine = await make({ network, parameters, stream, batchSize, optimizer: sgd, seed: 0 });
      await engine.run(0, run.learningRates, run.positions);
      const { contexts, logits } = run.evaluation;
      const evaluated = await evaluate(network, (await engine.read()).parameters, contexts);
      expect(largestDifference(evaluated, logits.flat())).toBeLessThan(1e-4);
    });

    test("the network that only tfjs can train is not a chain of blocks", () => {
      expect(buildNetwork(normAfterTanh, 28).chain).toBeUndefined();
    });

    test("no tensors pile up from step to step, and none is left after dispose", async () => {
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
      const setup = someSetup(small, { optimizer: sgd });
      const rates = new Float32Array(4).fill(0.05);
      const cpu = await createTfjsEngine(setup, { backend: "cpu" });
      engines.push(cpu);
      const engine = await make(setup);
      for (let step = 0; step < 12; step += 4)
        expect(largestDifference(await engine.run(step, rates), await cpu.run(step, rates))).toBeLessThan(
          1e-5,
        );
      await openBackend("cpu");
      expect((await engine.read()).parameters.size).toBe(small.parameters.length);
    });
  });
}

/** What the wasm engine must do in each build, wherever it runs: Node and Chromium share this. */
import { afterEach, expect, test, vi } from "vitest";
import { MakemoreError } from "../src/errors";
import type { AdamW, LayerSpec, SGD } from "../src/types";
import { drawBatch, type TokenStream } from "../worker/data/dataset";
import { prepareExamples } from "../worker/data/examples";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import { type Build, createWasmEngine } from "../worker/engines/wasm";
import { createWasmPredictor } from "../worker/engines/wasm/predictor";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, initialParameters, type Network } from "../worker/model/network";
import type { Checkpoint } from "../worker/training/checkpoint";
import type { Complete } from "../worker/validation";
import { randomCheckpoint, vocabularyOf } from "./checkpoint";
import { followsRecipe } from "./followsRecipe";
import { expectMoments } from "./moments";
import { expectReferenceLogits } from "./predictor";
import { allowedDifference, largestDifference, pytorchRecipes, pytorchRun } from "./pytorch";
import { Reference } from "./reference";

const sgd: SGD = { type: "sgd" };
const adamw: Complete<AdamW> = { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };

/**
 * Where a gradient is 0 but for rounding, Adam with a small epsilon makes a whole step of its
 * sign; with a large one the step is as smooth as the gradient, and can be compared.
 */
const smoothAdamw: Complete<AdamW> = { ...adamw, epsilon: 1e-3 };

/** Words of all lengths up to 9 over ids 1 to vocabularySize - 1. */
function someStream(vocabularySize: number): TokenStream {
  const tokens = [0];
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k <= i % 9; k++) tokens.push(1 + ((i * 7 + k * k * 3) % (vocabularySize - 1)));
    tokens.push(0);
  }
  return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
}

export function someSetup(network: Network, change: Partial<EngineSetup> = {}): EngineSetup {
  return {
    network,
    parameters: initialParameters(network, 1),
    optimizer: sgd,
    stream: someStream(network.vocabularySize),
    seed: 4_000_000_007,
    batchSize: 8,
    ...change,
  };
}

const small = buildNetwork(architecture({ contextLength: 4, embedding: 5, hidden: 12 }), 11);

/** Each of the ways in which a block may differ from the lecture's, and sizes that pad badly. */
export const odd: [what: string, specs: readonly LayerSpec[], vocabulary: number, batchSize: number][] = [
  [
    "vocabulary 2, hidden 5, batch 1, biases and no norm",
    [
      { type: "Embedding", dimensions: 3 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 5 },
      { type: "Tanh" },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 5 },
      { type: "Tanh" },
      { type: "Linear" },
    ],
    2,
    1,
  ],
  [
    "vocabulary 28, hidden 68, folds 3 and 4, batch 7",
    architecture({ contextLength: 12, embedding: 10, hidden: 68, folds: [3, 4] }),
    28,
    7,
  ],
  [
    "vocabulary 300, hidden 200, batch 100",
    architecture({ contextLength: 4, embedding: 24, hidden: 200 }),
    300,
    100,
  ],
  [
    "no tanh, no norm, no bias, a Linear that joins nothing, a head that joins 3",
    [
      { type: "Embedding", dimensions: 6 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanOut: 9, bias: false },
      { type: "BatchNorm1d", momentum: 0.3, epsilon: 1e-3 },
      { type: "Linear", fanOut: 10, bias: false },
      { type: "Tanh" },
      { type: "Linear", fanOut: 17 },
      { type: "FlattenConsecutive", n: 3 },
      { type: "Linear", bias: false },
    ],
    11,
    7,
  ],
  ["batch 4,096", architecture({ contextLength: 3, embedding: 2, hidden: 5 }), 5, 4096],
];

const predicted: [what: string, checkpoint: Checkpoint][] = [
  ["the lecture's WaveNet", randomCheckpoint("wavenet")],
  ["the lecture's MLP", randomCheckpoint("mlp")],
  ...odd
    .slice(0, 4)
    .map(([what, specs, size]): [string, Checkpoint] => [what, randomCheckpoint(specs, vocabularyOf(size))]),
];

/** Defines the tests of a build. */
export function testWasmEngine(build: Build): void {
  const engines: Engine[] = [];
  const make = async (setup: EngineSetup) => {
    const engine = await createWasmEngine(setup, build);
    engines.push(engine);
    return engine;
  };
  afterEach(() => {
    for (const engine of engines.splice(0)) engine.dispose();
    vi.restoreAllMocks();
  });

  test.each(["mlp", "wavenet"] as const)("follows PyTorch step by step: %s", async (name) => {
    const run = pytorchRun(name);
    const { network, parameters, stream, batchSize } = run;
    const engine = await make({ network, parameters, stream, batchSize, optimizer: sgd, seed: 0 });
    expect(engine).toMatchObject({ backend: "wasm", device: build });
    const losses = await engine.run(0, run.learningRates, run.positions);
    expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
    const state = await engine.read();
    expect([...state.parameters.keys()].sort()).toEqual([...parameters.keys()].sort());
    expect(state.optimizerState).toBeUndefined();
    for (const [key, expected] of [...run.after, ...run.running]) {
      const allowed = allowedDifference(parameters.get(key) ?? [], expected, losses.length);
      expect(largestDifference(state.parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
    }
  });

  test.each(pytorchRecipes())("follows PyTorch's recipe: $name", (recipe) => followsRecipe(recipe, make));

  for (const order of ["even", "random"] as const)
    test.each(odd)(`follows the float64 reference, ${order} order and soft targets: %s`, async (...odd) => {
      const [, specs, vocabulary, batchSize] = odd;
      const network = buildNetwork(specs, vocabulary);
      const stream = someStream(vocabulary);
      const teacher = order === "even" ? "ngram" : "none";
      const choice = { order, targets: "soft", teacher, steps: 10 } as const;
      const examples = prepareExamples(stream, network, choice);
      const setup = someSetup(network, { batchSize, ...(examples ? { examples } : {}) });
      const reference = new Reference(setup);
      const engine = await make(setup);
      const rates = new Float32Array(4).fill(0.05);
      // Far on, examples drawn are more than 2^32; the teacher works at the beginning.
      const first = order === "even" ? 5 : 1_000_000_007;
      expect(largestDifference(await engine.run(first, rates), reference.run(first, rates))).toBeLessThan(
        1e-5,
      );
      const { parameters } = await engine.read();
      for (const [name, expected] of reference.parameters) {
        const allowed = allowedDifference(setup.parameters.get(name) ?? [], expected, rates.length);
        expect(largestDifference(parameters.get(name) ?? [], expected), name).toBeLessThanOrEqual(allowed);
      }
    });

  for (const optimizer of [sgd, smoothAdamw])
    test.each(odd)(
      `follows the float64 reference, ${optimizer.type}: %s`,
      async (_, specs, vocabulary, batchSize) => {
        const setup = someSetup(buildNetwork(specs, vocabulary), { optimizer, batchSize });
        const rates = Float32Array.from(
          { length: 4 },
          (_, i) => (optimizer.type === "sgd" ? 0.1 : 0.002) / (i + 1),
        );
        const reference = new Reference(setup);
        const engine = await make(setup);
        expect(largestDifference(await engine.run(0, rates), reference.run(0, rates))).toBeLessThan(1e-5);
        const { parameters, optimizerState } = await engine.read();
        for (const [name, expected] of reference.parameters) {
          const allowed = allowedDifference(setup.parameters.get(name) ?? [], expected, rates.length);
          expect(largestDifference(parameters.get(name) ?? [], expected), name).toBeLessThanOrEqual(allowed);
        }
        if (optimizer.type === "sgd") expect(optimizerState).toBeUndefined();
        else expectMoments(optimizerState, reference.moments);
      },
    );

  test.each(predicted)("predicts as the float64 reference: %s", async (_, checkpoint) => {
    for (const most of [1, 7, 1000]) {
      const predictor = await createWasmPredictor(checkpoint.network, most, build);
      expect(predictor.batchSize).toBe(Math.min(most, 128));
      await expectReferenceLogits(predictor, checkpoint);
      predictor.dispose();
      await expect(predictor.predict(new Uint32Array(0))).rejects.toMatchObject({ code: "DISPOSED" });
    }
  });

  test("draws the minibatches of drawBatch", async () => {
    const setup = someSetup(small);
    const rates = new Float32Array(20).fill(0.1);
    const positions = Uint32Array.from(
      Array.from(rates, (_, i) => [...drawBatch(setup.stream, setup.seed, 1000 + i, setup.batchSize)]).flat(),
    );
    const [drawn, given] = [await make(setup), await make(setup)];
    expect(await drawn.run(1000, rates)).toEqual(await given.run(1000, rates, positions));
  });

  test.each([sgd, adamw])("the same run gives the same bits, in any chunks: $type", async (optimizer) => {
    const setup = someSetup(small, { optimizer });
    // More than the kernels take in one call.
    const rates = new Float32Array(1100).fill(0.01);
    const [whole, chunked] = [await make(setup), await make(setup)];
    const losses = await whole.run(0, rates);
    expect(losses.slice(0, 7)).toEqual(await chunked.run(0, rates.subarray(0, 7)));
    expect(losses.slice(7)).toEqual(await chunked.run(7, rates.subarray(7)));
    expect(await whole.run(1100, new Float32Array())).toEqual(new Float32Array());
    expect(await whole.read()).toEqual(await chunked.read());
  });

  test.each([sgd, adamw])("goes on from what read() gave as if never stopped: $type", async (optimizer) => {
    const setup = someSetup(small, { optimizer });
    const rates = Float32Array.from({ length: 60 }, (_, i) => 0.01 / (i + 1));
    const whole = await make(setup);
    const losses = await whole.run(0, rates);
    const first = await make(setup);
    await first.run(0, rates.subarray(0, 25));
    const second = await make({ ...setup, ...(await first.read()) });
    expect(await second.run(25, rates.subarray(25))).toEqual(losses.slice(25));
    expect(await second.read()).toEqual(await whole.read());
  });

  test("its numbers are copies: of the setup, and for the caller", async () => {
    const setup = someSetup(small, { optimizer: adamw });
    const engine = await make(setup);
    await engine.run(0, new Float32Array(3).fill(0.01));
    const early = await engine.read();
    const copy = structuredClone(early);
    await engine.run(3, new Float32Array(3).fill(0.01));
    expect(early).toEqual(copy);
    expect(setup.parameters).toEqual(initialParameters(small, 1));
  });

  test("its memory does not grow over 20,000 steps", async () => {
    const instantiate = vi.spyOn(WebAssembly, "instantiate");
    const engine = await make(someSetup(small, { optimizer: adamw }));
    const made = await instantiate.mock.results[0]?.value;
    const memory = made?.instance.exports.memory;
    if (!(memory instanceof WebAssembly.Memory)) return expect.unreachable();
    const bytes = memory.buffer.byteLength;
    for (let step = 0; step < 20_000; step += 1000)
      await engine.run(step, new Float32Array(1000).fill(0.001));
    expect(memory.buffer.byteLength).toBe(bytes);
  });

  test("after dispose it refuses", async () => {
    const engine = await make(someSetup(small));
    engine.dispose();
    engine.dispose();
    await expect(engine.run(0, new Float32Array(1))).rejects.toMatchObject({ code: "DISPOSED" });
    await expect(engine.read()).rejects.toMatchObject({ code: "DISPOSED" });
  });

  test("a model too large for the memory is refused", async () => {
    const huge = buildNetwork([{ type: "Embedding", dimensions: 4096 }, { type: "Linear" }], 300_000);
    const refused = make({ ...someSetup(small), network: huge });
    await expect(refused).rejects.toBeInstanceOf(MakemoreError);
    await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
}

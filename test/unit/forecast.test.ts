/** Evaluations during a training, compared with ONNX Runtime and the float64 reference. */
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import { randomBits, randomUnit, Stream } from "../../worker/data/random";
import type { Predictor } from "../../worker/engines/predictor";
import { createTfjsPredictor } from "../../worker/engines/tfjs/predictor";
import { createWasmPredictor } from "../../worker/engines/wasm/predictor";
import { architecture } from "../../worker/model/architectures";
import { Chooser } from "../../worker/model/chooser";
import { buildNetwork } from "../../worker/model/network";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { Forecast } from "../../worker/training/forecast";
import { LETTERS, pytorchCheckpoint, randomCheckpoint } from "../checkpoint";
import { expectReferenceLogits } from "../predictor";

const unlike: LayerSpec[] = [
  { type: "Embedding", dimensions: 5 },
  { type: "Tanh" },
  { type: "BatchNorm1d" },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear" },
];

test("tfjs predicts with any list of layers; the wasm kernels refuse unsupported ones", async () => {
  for (const checkpoint of [randomCheckpoint(unlike), pytorchCheckpoint("wavenet")]) {
    const predictor = await createTfjsPredictor(checkpoint.network, 100, { backend: "cpu" });
    await expectReferenceLogits(predictor, checkpoint);
    predictor.dispose();
  }
  const refused = createWasmPredictor(buildNetwork(unlike, 27), 100);
  await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

const dataset = buildDataset(["ab", "abc", "b", "ca", "cab", "bc", "a", "c", "aa", "cc"].join("\n"), {
  seed: 1,
  split: [0.5, 0.3, 0.2],
  shuffle: true,
  vocabulary: LETTERS,
});

test("the validation loss and the share of copied words are those of ONNX Runtime", async () => {
  // Many words of one or two letters, so that many samples are in the list.
  const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 4, hidden: 12 });
  const bias = checkpoint.parameters.get("linear3.bias") ?? expect.unreachable();
  for (const id of [0, 1, 2, 3]) bias[id] = 4;
  const forecast = new Forecast(createWasmPredictor, checkpoint.network, dataset, 50);
  const inference = new Inference(async () => ort, checkpoint);
  expect(await forecast.validation(checkpoint)).toBeCloseTo(await inference.evaluate(dataset.validation), 4);
  const seed = checkpoint.recipe.seed;
  const samples = await inference.sample(1000, sampleSettings(1000, { seed }));
  const list = ["ab", "abc", "b", "ca", "cab", "bc", "a", "c", "aa", "cc"];
  const copies = samples.filter((word) => list.includes(word)).length / 1000;
  expect(copies).toBeGreaterThan(0.05);
  expect(copies).toBeLessThan(0.95);
  // Rounding may change a draw that falls on the edge between two characters.
  expect(Math.abs((await forecast.copies(checkpoint)) - copies)).toBeLessThanOrEqual(0.002);
  // The first draws of this seed fall on no such edge.
  expect(await forecast.samples(checkpoint, 20, seed, () => false)).toEqual(samples.slice(0, 20));
  expect(await forecast.samples(checkpoint, 20, seed, () => true)).toEqual([]);
  forecast.dispose();
  await inference.dispose();
});

// Tolerance: the sum of some hundred losses, each with the rounding error of a logit, about 1e-6.
test.each(["wavenet", "rnn", "transformer"] as const)(
  "both losses of %s are ONNX Runtime's; the training loss uses as many characters as validation has",
  async (family) => {
    const network = buildNetwork(architecture(family, 16), LETTERS.size);
    const checkpoint = { ...randomCheckpoint(network.layers.map(({ spec }) => spec)), network };
    const forecast = new Forecast(createWasmPredictor, network, dataset, 2);
    const inference = new Inference(async () => ort, checkpoint);
    const { train, validation } = dataset;
    const losses = await forecast.losses(checkpoint, () => false);
    expect(losses.validation).toBeCloseTo(await inference.evaluate(validation), 5);
    const surprises: number[] = [];
    await inference.score(train, (part) => void surprises.push(...part.surprises));
    const characters = validation.length - 1;
    // A model that reads words reads the last one to its end.
    const read = family === "wavenet" ? characters : train.indexOf(0, characters);
    const head = surprises.slice(0, read);
    expect(read).toBeLessThan(surprises.length);
    expect(losses.train).toBeCloseTo(head.reduce((sum, surprise) => sum + surprise, 0) / read, 5);
    // Stop after the first batch of two contexts or words.
    const stopped = await forecast.losses(checkpoint, () => true);
    expect(stopped.train).not.toBeCloseTo(losses.train, 3);
    forecast.dispose();
    await inference.dispose();
  },
);

/** Makes a predictor of a bigram from its table of logits, [vocabulary, vocabulary]. It takes at most `rows` words. */
function bigramPredictor(table: readonly Float32Array[], rows: number): Predictor {
  return {
    batchSize: rows,
    load() {},
    dispose() {},
    async predict(tokens, time) {
      expect(tokens.length % time).toBe(0);
      expect(tokens.length / time).toBeLessThanOrEqual(rows);
      // Every row begins with the boundary.
      for (let row = 0; row < tokens.length; row += time) expect(tokens[row]).toBe(0);
      return Float32Array.from([...tokens].flatMap((token) => [...(table[token] ?? expect.unreachable())]));
    },
  };
}

test.each([1, 3, 50])(
  "loss and share of copied words are exact for a bigram that reads %d words at a time",
  async (rows) => {
    const size = LETTERS.size;
    const table = Array.from({ length: size }, (_, a) =>
      // The likely tokens are a, b, c and the word's end.
      Float32Array.from({ length: size }, (_, b) => (b < 4 ? Math.sin(3 * a + b) : -8)),
    );
    const logProbability = (a: number, b: number) => {
      const row = table[a] ?? expect.unreachable();
      return (row[b] ?? Number.NaN) - Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
    };
    const network = buildNetwork(architecture("bigram"), size);
    const forecast = new Forecast(async () => bigramPredictor(table, rows), network, dataset, rows);
    const checkpoint = { ...randomCheckpoint({ contextLength: 2, embedding: 2, hidden: 2 }), network };
    const { validation } = dataset;
    let sum = 0;
    for (let i = 1; i < validation.length; i++)
      sum -= logProbability(validation[i - 1] ?? 0, validation[i] ?? 0);
    // Tolerance: float32 logits.
    expect(await forecast.validation(checkpoint)).toBeCloseTo(sum / (validation.length - 1), 5);

    const list = ["ab", "abc", "b", "ca", "cab", "bc", "a", "c", "aa", "cc"];
    const chooser = new Chooser(size, { temperature: 1, topK: size, topP: 1 });
    let copies = 0;
    for (let number = 0; number < 1000; number++) {
      let word = "";
      for (let last = 0; word.length < 10; ) {
        const unit = randomUnit(randomBits(checkpoint.recipe.seed, Stream.sampling, number, word.length));
        last = chooser.choose(table[last] ?? expect.unreachable(), 0, unit, word !== "");
        if (last === 0) break;
        word += LETTERS.characters[last - 1];
      }
      if (list.includes(word)) copies++;
    }
    expect(copies).toBeGreaterThan(50);
    expect(await forecast.copies(checkpoint)).toBe(copies / 1000);
  },
);

test("the first look of a watch depends on the number of words if an example is a word", () => {
  const words = { ...dataset, stats: { ...dataset.stats, split: { train: 20_000, validation: 1, test: 1 } } };
  const first = (model: "bigram" | "mlp") => {
    const network = buildNetwork(architecture(model), LETTERS.size);
    const forecast = new Forecast(createWasmPredictor, network, words, 8);
    const checkpoint = randomCheckpoint({ contextLength: 2, embedding: 2, hidden: 2 });
    const recipe = { ...checkpoint.recipe, keepBest: true, batchSize: 50 };
    return forecast.watch({ ...checkpoint, network, recipe })?.next(0);
  };
  // A quarter of 20,000 words at 50 per step is 100 steps, rounded up to a power of 2. The MLP counts characters, of
  // which the list has only a few.
  expect(first("bigram")).toBe(128);
  expect(first("mlp")).toBe(16);
});

test("a predictor is opened only when it is needed", async () => {
  let opened = 0;
  const network = buildNetwork(architecture({ contextLength: 2, embedding: 2, hidden: 4 }), LETTERS.size);
  const forecast = new Forecast(
    (...of) => {
      opened++;
      return createWasmPredictor(...of);
    },
    network,
    dataset,
    8,
  );
  forecast.dispose();
  expect(opened).toBe(0);
});

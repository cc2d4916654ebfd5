/** Networks that read words, in ONNX Runtime for Node: their forms, sampling and scoring. */
import * as ort from "onnxruntime-node";
import { expect, onTestFinished, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { WordSet } from "../../worker/data/dataset";
import { randomBits, randomUnit, Stream } from "../../worker/data/random";
import { networkGraphs } from "../../worker/onnx/networkGraphs";
import { readONNX } from "../../worker/onnx/read";
import { writeONNX } from "../../worker/onnx/write";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { LETTERS, randomCheckpoint } from "../checkpoint";
import { families, familyRun } from "../families";
import { int32 } from "../onnxRuntime";
import { largestDifference } from "../pytorch";
import { scoreWords } from "../scores";
import { charactersOf, familyCheckpoint, sequenceLogits, stepLogits, surprisesOf } from "../wordForms";

function inferenceOf(checkpoint: Checkpoint, memory?: number): Inference {
  const inference = new Inference(async () => ort, checkpoint, memory);
  onTestFinished(() => inference.dispose());
  return inference;
}

test.each(families)("both forms of %s give PyTorch's logits", async (family) => {
  const { tokens, logits, ...checkpoint } = familyCheckpoint(family);
  for (const run of [sequenceLogits, stepLogits]) {
    const { dims, values } = await run(ort, checkpoint, tokens);
    expect(dims).toEqual([tokens.length, tokens[0]?.length, 27]);
    // Float32 rounding; the file has PyTorch's numbers with nine decimals.
    expect(largestDifference(values, logits)).toBeLessThan(1e-4);
  }
});

test.each(families)("%s scores and evaluates words like PyTorch, with any memory", async (family) => {
  const { tokens, logits, ...checkpoint } = familyCheckpoint(family);
  const words = charactersOf(tokens);
  const expected = surprisesOf(words, logits);
  const texts = words.map((word) => LETTERS.decode(word));
  const stream = Uint8Array.from([0, ...words.flatMap((word) => [...word, 0])]);
  // Memory for one word at a time, for some, and for all.
  for (const memory of [0, 30_000, undefined]) {
    const inference = inferenceOf(checkpoint, memory);
    const scores = await scoreWords(inference, LETTERS, texts);
    expect(scores.map(({ word }) => word)).toEqual(texts);
    const surprises = scores.flatMap((score) => score.surprises.map(({ surprise }) => surprise));
    expect(largestDifference(surprises, expected)).toBeLessThan(1e-4);
    const mean = expected.reduce((sum, x) => sum + x, 0) / expected.length;
    expect(await inference.evaluate(stream)).toBeCloseTo(mean, 5);
  }
});

/** makemore.py's loop: one word at a time, which the model reads again from its beginning for each character. */
async function plainLoop(checkpoint: Checkpoint, count: number, seed: number): Promise<string[]> {
  const session = await ort.InferenceSession.create(writeONNX(checkpoint, { trainingState: false }));
  const words: string[] = [];
  for (let word = 0; word < count; word++) {
    const ids: number[] = [];
    while (ids.length < Math.min(100, checkpoint.network.contextLength - 1)) {
      const { logits } = await session.run({ tokens: int32([[0, ...ids]]) });
      const values = logits?.data instanceof Float32Array ? logits.data : new Float32Array(0);
      // Leave out the boundary at the first character, because a word is not empty.
      const weights = [...values.subarray(ids.length * 27)].map((logit, id) =>
        id === 0 && ids.length === 0 ? 0 : Math.exp(logit),
      );
      const total = weights.reduce((a, b) => a + b, 0);
      let rest = randomUnit(randomBits(seed, Stream.sampling, word, ids.length)) * total;
      const id = weights.findIndex((weight) => {
        rest -= weight;
        return rest < 0;
      });
      if (id === 0) break;
      ids.push(id);
    }
    words.push(LETTERS.decode(ids));
  }
  await session.release();
  return words;
}

test.each(families)("%s samples the plain loop's words, with any memory, after any calls", async (family) => {
  const { tokens: _, logits: __, ...checkpoint } = familyCheckpoint(family);
  const words = await plainLoop(checkpoint, 30, 5);
  expect(new Set(words).size).toBeGreaterThan(20);
  // With little memory the cache is often full, so nodes are evicted.
  for (const memory of [0, 100_000, undefined]) {
    const inference = inferenceOf(checkpoint, memory);
    await inference.sample(200, sampleSettings(200, { seed: 9, minLength: 10 }));
    for (const count of [30, 1])
      expect(await inference.sample(count, sampleSettings(count, { seed: 5 }))).toEqual(
        words.slice(0, count),
      );
    const novel = { seed: 5, novel: true };
    const known = WordSet.of(Uint8Array.from([0, ...LETTERS.encode(words[0] ?? ""), 0]));
    expect(await inference.sample(1, sampleSettings(1, novel), { known: [known] })).toEqual(
      words.slice(1, 2),
    );
  }
});

test.each([
  ["a table of tokens and positions", 128],
  ["too many channels for a table", 160],
])("a transformer samples the words of the plain loop: %s", async (_, embedding) => {
  const checkpoint = randomCheckpoint({ type: "transformer", layers: 2, embedding, contextLength: 16 });
  const words = await plainLoop(checkpoint, 20, 3);
  expect(await inferenceOf(checkpoint).sample(20, sampleSettings(20, { seed: 3 }))).toEqual(words);
});

test.each(families)("every form of %s is written and read bit for bit", (family) => {
  const checkpoint = randomCheckpoint(familyRun(family).network.layers.map(({ spec }) => spec));
  for (const form of networkGraphs(checkpoint.network).forms.keys()) {
    const back = readONNX(writeONNX(checkpoint, { form, trainingState: true }));
    expect(back.network.layers.map(({ spec }) => spec)).toEqual(
      checkpoint.network.layers.map(({ spec }) => spec),
    );
    expect(back.parameters).toEqual(checkpoint.parameters);
    expect(back.optimizerState).toEqual(checkpoint.optimizerState);
  }
});

/** A decoder that is in no family: stacked cells, norms with weights, and attention without positions. */
const mixed: LayerSpec[] = [
  { type: "Embedding", dimensions: 6 },
  { type: "GRU", hidden: 6 },
  {
    type: "Residual",
    layers: [{ type: "LayerNorm" }, { type: "CausalSelfAttention", heads: 3, bias: false }],
  },
  { type: "Residual", layers: [{ type: "CausalMean" }, { type: "LSTM", hidden: 6 }] },
  { type: "GELU" },
  { type: "CausalSelfAttention", heads: 2 },
  { type: "RNN", hidden: 5 },
  { type: "Linear" },
];

test("any list of these layers samples and scores like its sequence form", async () => {
  const checkpoint = randomCheckpoint(mixed);
  expect(checkpoint.network.contextLength).toBe(256);
  const inference = inferenceOf(checkpoint, 100_000);
  const words = await inference.sample(40, sampleSettings(40, { seed: 2, maxLength: 30 }));
  expect(words).toEqual((await plainLoop(checkpoint, 40, 2)).map((word) => word.slice(0, 30)));
  const ids = words.map((word) => [...LETTERS.encode(word)]);
  const time = 1 + Math.max(...ids.map((word) => word.length));
  const rows = ids.map((word) => [0, ...word, ...new Array<number>(time - 1 - word.length).fill(0)]);
  const { values } = await sequenceLogits(ort, checkpoint, rows);
  const scores = await scoreWords(inference, LETTERS, words);
  const surprises = scores.flatMap((score) => score.surprises.map(({ surprise }) => surprise));
  // Tolerance: float32 rounding over seven layers and up to 30 tokens.
  expect(largestDifference(surprises, surprisesOf(ids, values))).toBeLessThan(1e-4);
});

test("no word is longer than the model can read", async () => {
  const checkpoint = randomCheckpoint({ type: "microgpt", contextLength: 6 });
  const inference = inferenceOf(checkpoint);
  const words = await inference.sample(200, sampleSettings(200, { seed: 1 }));
  expect(Math.max(...words.map((word) => word.length))).toBe(5);
  expect(await inference.sample(1, sampleSettings(1, { prefix: "emmaa" }))).toEqual(["emmaa"]);
  const [score] = await scoreWords(inference, LETTERS, ["emmaa"]);
  const end = (await inference.next("emmaa")).find(({ character }) => character === "");
  expect(end?.probability).toBeCloseTo(Math.exp(-(score?.surprises.at(-1)?.surprise ?? Number.NaN)), 5);
  await expect(inference.next("emmaaa")).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(/^next: prefix is "emmaaa".* at most 5 characters/),
  });
  for (const options of [{ prefix: "emmaaa" }, { minLength: 6 }])
    await expect(inference.sample(1, sampleSettings(1, options))).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/(emmaaa|6).* at most 5 characters/),
    });
  await expect(scoreWords(inference, LETTERS, ["emma", "olivia"])).rejects.toMatchObject({
    code: "INVALID_WORDS",
    message: expect.stringMatching(/olivia.* 6 characters.* at most 5/),
  });
  // The refused calls changed nothing.
  expect(await inference.sample(200, sampleSettings(200, { seed: 1 }))).toEqual(words);
});

test("a form that a network does not have is refused, and the error names its forms", () => {
  for (const form of ["window", "convolution"] as const)
    expect(() => writeONNX(randomCheckpoint("gru"), { form, trainingState: false })).toThrow(
      expect.objectContaining({
        code: "INVALID_MODEL",
        message: expect.stringMatching(/gru1.*"sequence" or "incremental"/),
      }),
    );
});

test("the sequence form of a WaveNet is its convolution", () => {
  const checkpoint = randomCheckpoint("wavenet");
  const write = (form: "sequence" | "convolution") => writeONNX(checkpoint, { form, trainingState: false });
  expect(Buffer.compare(write("sequence"), write("convolution"))).toBe(0);
});

test.each(["gru", "transformer"] as const)(
  "a %s whose weights are not numbers is refused",
  async (family) => {
    const checkpoint = randomCheckpoint({ type: family });
    checkpoint.parameters.get("embedding.weight")?.fill(Number.NaN);
    const inference = inferenceOf(checkpoint);
    const failed = { code: "SAMPLING_FAILED", message: expect.stringContaining("diverged") };
    await expect(inference.sample(1, sampleSettings(1, {}))).rejects.toMatchObject(failed);
    await expect(scoreWords(inference, LETTERS, ["emma"])).rejects.toMatchObject(failed);
  },
);

import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { randomBelow, randomBits } from "../../worker/data/random";
import { Vocabulary } from "../../worker/data/vocabulary";
import { writeONNX } from "../../worker/onnx/write";
import { Inference } from "../../worker/sampling/inference";
import type { Feed } from "../../worker/sampling/runtime";
import { surprises } from "../../worker/sampling/surprises";
import { pytorchCheckpoint, randomCheckpoint, vocabularyOf } from "../checkpoint";
import {
  convolutionLogits,
  incrementalLogits,
  int32,
  referenceLogits,
  runFile,
  windowLogits,
} from "../onnxRuntime";
import { largestDifference, pytorchRun } from "../pytorch";
import { scoreWords } from "../scores";

/** Generates words of 1 to `longest` characters, as ids. */
function randomWords(count: number, longest: number, vocabularySize: number): number[][] {
  return Array.from({ length: count }, (_, word) =>
    Array.from(
      { length: 1 + randomBelow(randomBits(7, 9, word, 0), longest) },
      (_, i) => 1 + randomBelow(randomBits(7, 10, word, i), vocabularySize - 1),
    ),
  );
}

test("tree and convolution agree to 1e-5 at every position of 1,000 words", async () => {
  const checkpoint = randomCheckpoint("wavenet");
  const words = randomWords(1000, 15, 27);
  const tree = await windowLogits(checkpoint, words);
  expect(tree.length).toBeGreaterThan(8000 * 27);
  // Tolerance: sums of 256 float32 products, in another order.
  expect(largestDifference(tree, await convolutionLogits(checkpoint, words))).toBeLessThan(1e-5);
});

test.each(["mlp", "wavenet"] as const)("the convolution of %s gives PyTorch's logits", async (name) => {
  const { contexts, logits } = pytorchRun(name).evaluation;
  const file = writeONNX(pytorchCheckpoint(name), { form: "convolution", trainingState: false });
  // Pass each context, including its leading boundaries, as a word. The logits of its last position are PyTorch's.
  const { dims, values } = await runFile(file, { tokens: int32(contexts) });
  const [batch = 0, time = 0, width = 0] = dims;
  const last = Array.from({ length: batch }, (_, row) => [
    ...values.subarray((row * time + time - 1) * width, (row + 1) * time * width),
  ]);
  expect(largestDifference(last.flat(), logits.flat())).toBeLessThan(1e-4);
});

/** Chains of blocks with any folds and widths, with or without norms, biases and tanhs. */
const chains = fc
  .record({
    vocabularySize: fc.integer({ min: 3, max: 90 }),
    embedding: fc.integer({ min: 1, max: 9 }),
    levels: fc.array(
      fc.record({
        fold: fc.integer({ min: 1, max: 4 }),
        fanOut: fc.integer({ min: 1, max: 17 }),
        bias: fc.boolean(),
        norm: fc.boolean(),
        tanh: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    headFold: fc.integer({ min: 1, max: 3 }),
    headBias: fc.boolean(),
    seed: fc.nat(1000),
  })
  .map(({ vocabularySize, embedding, levels, headFold, headBias, seed }) => {
    const layers: LayerSpec[] = [
      { type: "Embedding", dimensions: embedding },
      ...levels.flatMap(({ fold, fanOut, bias, norm, tanh }): LayerSpec[] => [
        ...(fold > 1 ? [{ type: "FlattenConsecutive", n: fold } as const] : []),
        { type: "Linear", fanOut, bias },
        ...(norm ? [{ type: "BatchNorm1d" } as const] : []),
        ...(tanh ? [{ type: "Tanh" } as const] : []),
      ]),
      ...(headFold > 1 ? [{ type: "FlattenConsecutive", n: headFold } as const] : []),
      { type: "Linear", bias: headBias },
    ];
    return { layers, vocabularySize, seed };
  });

test("every form agrees with the float64 tree for any folds, widths and weights", async () => {
  await fc.assert(
    fc.asyncProperty(chains, async ({ layers, vocabularySize, seed }) => {
      const checkpoint = randomCheckpoint(layers, vocabularyOf(vocabularySize), seed);
      expect(checkpoint.network.chain).toBeDefined();
      const words = randomWords(6, 9, vocabularySize);
      const expected = referenceLogits(checkpoint, words);
      const scale = expected.reduce((largest, x) => Math.max(largest, Math.abs(x)), 1);
      for (const logits of [windowLogits, convolutionLogits, incrementalLogits])
        expect(largestDifference(expected, await logits(checkpoint, words)) / scale).toBeLessThan(1e-5);
      expect(await largestSurpriseDifference(checkpoint, words, expected)).toBeLessThan(1e-5 * scale);
    }),
    { seed: 42, numRuns: 60 },
  );
});

test("a model that is not a chain of blocks has the window form, and score uses it", async () => {
  const layers: LayerSpec[] = [
    { type: "Embedding", dimensions: 4 },
    { type: "FlattenConsecutive", n: 3 },
    { type: "Linear", fanOut: 8 },
    { type: "Tanh" },
    { type: "BatchNorm1d" },
    { type: "Linear" },
  ];
  const checkpoint = randomCheckpoint(layers);
  for (const form of ["convolution", "incremental"] as const)
    expect(() => writeONNX(checkpoint, { form, trainingState: true })).toThrow(
      expect.objectContaining({
        code: "INVALID_MODEL",
        message: expect.stringContaining("tanh1, batchNorm1d1"),
      }),
    );
  const words = randomWords(20, 9, 27);
  const expected = referenceLogits(checkpoint, words);
  expect(largestDifference(expected, await windowLogits(checkpoint, words))).toBeLessThan(1e-5);
  expect(await largestSurpriseDifference(checkpoint, words, expected)).toBeLessThan(1e-5);
});

test("a word that is longer than any run of the graph is scored in pieces, with the same numbers", async () => {
  const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 3, hidden: 4 });
  const [long = []] = randomWords(1, 15, 27);
  while (long.length < 20_000) long.push(1 + randomBelow(randomBits(7, 11, 0, long.length), 26));
  const words = [[1, 2], long, [3]];
  expect(await largestSurpriseDifference(checkpoint, words, referenceLogits(checkpoint, words))).toBeLessThan(
    1e-5,
  );
});

test("score uses runs of a limited size for a large vocabulary", async () => {
  const size = 5000;
  const words = randomWords(300, 9, size);
  // Han characters, which NFC does not change.
  const vocabulary = new Vocabulary(
    Array.from({ length: size - 1 }, (_, i) => String.fromCodePoint(0x4e00 + i)),
  );
  const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 3, hidden: 4 }, vocabulary);
  const expected = referenceLogits(checkpoint, words);
  expect(await largestSurpriseDifference(checkpoint, words, expected)).toBeLessThan(1e-5);
  const contexts: number[] = [];
  const run = async ({ context }: Record<string, Feed>) => {
    const [count = 0] = context?.dimensions ?? [];
    contexts.push(count);
    return { logProbabilities: new Float32Array(count * size) };
  };
  const session = {
    session: { run },
    levels: [{ input: "context", fold: 4 }],
    vocabularySize: size,
    most: 1e9,
  };
  let positions = 0;
  const slices = words.map((tokens) => ({ tokens, start: 0, end: tokens.length }));
  for await (const values of surprises(session, slices, () => false)) positions += values.length;
  expect(positions).toBe(words.flat().length + words.length);
  expect(contexts.length).toBeGreaterThan(2);
  // At most 10 MB per output.
  for (const count of contexts) expect(count * size * 4).toBeLessThan(10e6);
});

test("evaluate gives the tree's mean cross entropy to 1e-5, over more than one run", async () => {
  const checkpoint = pytorchCheckpoint("wavenet");
  const words = randomWords(5000, 12, 27);
  const targets = words.flatMap((word) => [...word, 0]);
  const tree = await windowLogits(checkpoint, words);
  const sum = targets.reduce((sum, target, position) => {
    const row = tree.subarray(position * 27, (position + 1) * 27);
    return sum + Math.log(row.reduce((total, x) => total + Math.exp(x), 0)) - (row[target] ?? 0);
  }, 0);
  const inference = new Inference(async () => ort, checkpoint);
  const loss = await inference.evaluate(Uint8Array.from([0, ...targets]));
  expect(Math.abs(loss - sum / targets.length)).toBeLessThan(1e-5);
  await inference.dispose();
});

/** Largest difference between `score` and the surprises computed from logits. */
async function largestSurpriseDifference(
  checkpoint: ReturnType<typeof randomCheckpoint>,
  words: readonly number[][],
  logits: Float64Array,
): Promise<number> {
  const inference = new Inference(async () => ort, checkpoint);
  const scores = await scoreWords(
    inference,
    checkpoint.vocabulary,
    words.map((word) => checkpoint.vocabulary.decode(word)),
  );
  await inference.dispose();
  const width = checkpoint.vocabulary.size;
  const expected = words
    .flatMap((word) => [...word, 0])
    .map((target, position) => {
      const row = logits.subarray(position * width, (position + 1) * width);
      return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - (row[target] ?? 0);
    });
  return largestDifference(
    expected,
    scores.flatMap((score) => score.surprises.map(({ surprise }) => surprise)),
  );
}

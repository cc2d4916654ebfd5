/** Order and targets of examples, compared with a simple computation. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readContext, type TokenStream } from "../../worker/data/dataset";
import { drawIndex, drawMinibatch, type ExampleChoice, prepareExamples } from "../../worker/data/examples";
import { randomBits, Stream } from "../../worker/data/random";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork } from "../../worker/model/network";
import { listed, ngram } from "../ngram";
import { largestDifference } from "../pytorch";

const choice: ExampleChoice = { order: "even", targets: "soft", teacher: "none", steps: 100 };

/** Generates a stream of words over ids 1 to vocabularySize - 1. */
const streams = (vocabularySize: number) =>
  fc
    .array(fc.array(fc.integer({ min: 1, max: vocabularySize - 1 }), { minLength: 1, maxLength: 7 }), {
      minLength: 1,
      maxLength: 40,
    })
    .map((words) => {
      const tokens = [0, ...words.flatMap((word) => [...word, 0])];
      return vocabularySize > 256 ? Uint16Array.from(tokens) : Uint8Array.from(tokens);
    });

/** A vocabulary size and a stream. The sizes differ in the number of tokens that the sort reads at once: 6, 3 and 1. */
const sized = fc
  .constantFrom(5, 40, 260)
  .chain((vocabularySize) => fc.tuple(fc.constant(vocabularySize), streams(vocabularySize)));

function shares(examples: ReturnType<typeof listed>, context: string, vocabularySize: number): number[] {
  const targets = examples.filter((example) => example.context === context).map(({ target }) => target);
  return Array.from(
    { length: vocabularySize },
    (_, token) => targets.filter((target) => target === token).length / targets.length,
  );
}

function setup(
  stream: TokenStream,
  contextLength: number,
  vocabularySize: number,
  change: Partial<ExampleChoice>,
) {
  const network = buildNetwork(
    architecture({ contextLength, embedding: 2, hidden: 2, folds: [contextLength] }),
    vocabularySize,
  );
  const examples = prepareExamples(stream, network, { ...choice, ...change });
  return { network, stream, seed: 3, batchSize: 16, ...(examples ? { examples } : {}) };
}

describe.each(["even", "random"] as const)("%s order", (order) => {
  test.each(["soft", "hard"] as const)("%s targets match the lecture's list of examples", (targets) => {
    fc.assert(
      fc.property(sized, fc.integer({ min: 1, max: 9 }), ([vocabularySize, stream], contextLength) => {
        const given = setup(stream, contextLength, vocabularySize, { order, targets });
        const examples = listed(stream, contextLength);
        for (const step of [0, 7]) {
          const batch = drawMinibatch(given, step);
          for (const [row, position] of batch.positions.entries()) {
            const context = new Array<number>(contextLength).fill(0);
            readContext(stream, position, contextLength, context);
            const index = drawIndex(order, 3, step, row, 16, examples.length);
            const sorted = targets === "soft" || order === "even";
            if (sorted) expect(context.join()).toBe(examples[index]?.context);
            else expect(position).toBe(1 + index);
            const target = batch.targets?.subarray(row * vocabularySize, (row + 1) * vocabularySize);
            if (targets === "hard") {
              expect(target).toBeUndefined();
              if (sorted) expect(stream[position]).toBe(examples[index]?.target);
              continue;
            }
            // Tolerance: the shares and the rest that they leave of 1 are rounded to float32.
            const expected = shares(examples, context.join(), vocabularySize);
            expect(largestDifference([...(target ?? [])], expected)).toBeLessThan(5e-7);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

test("the teacher is the n-gram without the example itself, and fades out", () => {
  fc.assert(
    fc.property(streams(4), fc.integer({ min: 1, max: 10 }), (stream, contextLength) => {
      const given = setup(stream, contextLength, 4, { teacher: "ngram" });
      const examples = listed(stream, contextLength);
      for (const [step, weight] of [
        [0, 0.9],
        [50, 0.45],
        [100, 0],
        [200, 0],
      ] as const) {
        const { positions, targets } = drawMinibatch(given, step);
        const context = new Array<number>(contextLength).fill(0);
        readContext(stream, positions[0] ?? 0, contextLength, context);
        const own = shares(examples, context.join(), 4);
        const taught = ngram(examples, context.join(), 4);
        for (const [token, share] of own.entries())
          expect(targets?.[token]).toBeCloseTo((1 - weight) * share + weight * (taught[token] ?? 0), 6);
      }
    }),
    { numRuns: 30 },
  );
});

test("even order visits all examples equally often, and another seed starts elsewhere", () => {
  const count = 1000;
  const visits = new Uint32Array(count);
  for (let step = 0; step < 100; step++)
    for (let row = 0; row < 50; row++) {
      const index = drawIndex("even", 42, step, row, 50, count);
      visits[index] = (visits[index] ?? 0) + 1;
    }
  // 5 visits each on average. With independent draws the counts would differ by 12 or more.
  expect(Math.max(...visits) - Math.min(...visits)).toBeLessThanOrEqual(3);
  // The reference's formula, in exact integers.
  const exact = (n: bigint, offset: bigint) =>
    Number((1000n * ((n * 2654435769n + offset) & 0xffffffffn)) >> 32n);
  const first = randomBits(42, Stream.minibatch, 0, 0);
  for (const [step, row] of [
    [0, 0],
    [3, 17],
    [10_000_000, 49],
  ] as const)
    expect(drawIndex("even", 42, step, row, 50, count)).toBe(exact(BigInt(step * 50 + row), BigInt(first)));
  expect(drawIndex("even", 43, 0, 0, 50, count)).not.toBe(drawIndex("even", 42, 0, 0, 50, count));
});

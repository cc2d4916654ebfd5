/** Whole words as examples, compared with a simple computation. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { runToEnd } from "../../src/slices";
import { drawIndex, type ExampleChoice } from "../../worker/data/examples";
import { drawWords, padWords, wordExamplesWork, wordStarts } from "../../worker/data/wordExamples";
import { makemoreError } from "../makemoreError";
import { listed, ngram } from "../ngram";

const VOCABULARY = 5;
const network = { vocabularySize: VOCABULARY };
const choice: ExampleChoice = { order: "even", targets: "soft", teacher: "none", steps: 100 };

/** Words of few characters, so that many share prefixes, are prefixes of others, or repeat. */
const lists = fc.array(
  fc.array(fc.integer({ min: 1, max: VOCABULARY - 1 }), { minLength: 1, maxLength: 6 }),
  { minLength: 1, maxLength: 60 },
);
const streamOf = (words: readonly number[][]) =>
  Uint8Array.from([0, ...words.flatMap((word) => [...word, 0])]);
/** Compares words alphabetically: a word comes before the words that begin with it. */
const compare = (a: readonly number[], b: readonly number[]) => (a.join("") < b.join("") ? -1 : 1);

/** Returns the word that begins at a position. */
function wordAt(stream: Uint8Array, start: number): number[] {
  return [...stream.subarray(start, stream.indexOf(0, start))];
}

/** Returns the distribution of the next token after a prefix in a list of words. */
function followers(words: readonly number[][], prefix: readonly number[]): number[] {
  const next = words
    .filter((word) => prefix.every((token, i) => token === word[i]))
    .map((word) => word[prefix.length] ?? 0);
  return Array.from(
    { length: VOCABULARY },
    (_, token) => next.filter((t) => t === token).length / next.length,
  );
}

test("words are sorted alphabetically, and drawn by the formula", () => {
  fc.assert(
    fc.property(lists, fc.constantFrom("even", "random"), (words, order) => {
      const stream = streamOf(words);
      const examples = runToEnd(wordExamplesWork(stream, VOCABULARY, { ...choice, order }));
      if (!examples) expect.unreachable();
      const sorted = [...examples.starts].map((start) => wordAt(stream, start));
      expect(sorted).toEqual([...words].sort(compare));
      // Equal words keep the stream's order.
      for (const [i, start] of examples.starts.entries())
        if (sorted[i]?.join() === sorted[i - 1]?.join())
          expect(start).toBeGreaterThan(examples.starts[i - 1] ?? expect.unreachable());
      const drawn = drawWords(examples.starts, { examples, seed: 3, batchSize: 7 }, 11);
      expect([...drawn]).toEqual(
        Array.from({ length: 7 }, (_, row) => examples.starts[drawIndex(order, 3, 11, row, 7, words.length)]),
      );
    }),
  );
});

test("a soft target is the distribution of the next token after the whole prefix", () => {
  fc.assert(
    fc.property(lists, (words) => {
      const stream = streamOf(words);
      const examples = runToEnd(wordExamplesWork(stream, VOCABULARY, choice));
      if (!examples) expect.unreachable();
      const { time, places, tokens, targets } = padWords({ network, stream, examples }, examples.starts);
      const sorted = [...words].sort(compare);
      expect(places).toBe(stream.length - 1);
      expect(time).toBe(1 + Math.max(...words.map((word) => word.length)));
      for (const [row, word] of sorted.entries())
        for (let k = 0; k < time; k++) {
          const place = row * time + k;
          const target = [...targets.subarray(place * VOCABULARY, (place + 1) * VOCABULARY)];
          expect(tokens[place]).toBe([0, ...word][k] ?? 0);
          const expected = k > word.length ? [0, 0, 0, 0, 0] : followers(words, word.slice(0, k));
          // Tolerance: shares are rounded to float32.
          for (const [token, share] of expected.entries())
            expect(target[token], `${word} at ${k}`).toBeCloseTo(share, 6);
        }
    }),
    { numRuns: 50 },
  );
});

test("the teacher is the n-gram of whole prefixes without the example itself, and fades to 0.3", () => {
  fc.assert(
    fc.property(lists, (words) => {
      const stream = streamOf(words);
      const examples = runToEnd(wordExamplesWork(stream, VOCABULARY, { ...choice, teacher: "ngram" }));
      if (!examples) expect.unreachable();
      const length = 1 + Math.max(...words.map((word) => word.length));
      const all = listed(stream, length);
      const sorted = [...words].sort(compare);
      for (const [step, weight] of [
        [0, 0.9],
        [50, 0.6],
        [100, 0.3],
        [200, 0.3],
      ] as const) {
        const starts = wordStarts({ stream, examples });
        const { time, targets } = padWords({ network, stream, examples }, starts, step);
        const word = sorted[0] ?? expect.unreachable();
        for (let k = 0; k <= word.length; k++) {
          const prefix = word.slice(0, k);
          const padded = [...new Array<number>(length - k).fill(0), ...prefix];
          const taught = ngram(all, padded.join(), VOCABULARY);
          const target = [...targets.subarray(k * VOCABULARY, (k + 1) * VOCABULARY)];
          // Tolerance: a few roundings to float32.
          for (const [token, share] of followers(words, prefix).entries())
            expect(target[token]).toBeCloseTo((1 - weight) * share + weight * (taught[token] ?? 0), 6);
        }
        // Targets of padding are zeros.
        for (let place = word.length + 1; place < time; place++) expect(targets[place * VOCABULARY]).toBe(0);
      }
    }),
    { numRuns: 30 },
  );
});

test("a teacher of more than 256 MB is refused", () => {
  const words = Array.from({ length: 20_000 }, (_, i) => [1 + (i % 100), 101 + Math.floor(i / 100)]);
  const stream = Uint16Array.from([0, ...words.flatMap((word) => [...word, 0])]);
  // The words have 20,101 prefixes.
  const taught = { ...choice, teacher: "ngram" } as const;
  expect(() => runToEnd(wordExamplesWork(stream, 4000, taught))).toThrow(
    makemoreError("INVALID_OPTION", 'train: teacher "ngram" needs 322 MB for these words; the limit is 268.'),
  );
});

test("hard targets are the word itself, and random order needs no table", () => {
  const words = [[2, 1], [3], [2, 1, 4]];
  const stream = streamOf(words);
  expect(
    runToEnd(wordExamplesWork(stream, VOCABULARY, { ...choice, order: "random", targets: "hard" })),
  ).toBeUndefined();
  const starts = wordStarts({ stream });
  expect([...starts]).toEqual([1, 4, 6]);
  const drawn = drawWords(starts, { seed: 5, batchSize: 20 }, 2);
  expect([...drawn]).toEqual(
    Array.from({ length: 20 }, (_, row) => starts[drawIndex("random", 5, 2, row, 20, 3)]),
  );
  const { time, places, tokens, targets } = padWords({ network, stream }, starts);
  expect({ time, places }).toEqual({ time: 4, places: 9 });
  expect([...tokens]).toEqual([0, 2, 1, 0, 0, 3, 0, 0, 0, 2, 1, 4]);
  // -1 stands for padding.
  const expected = [2, 1, 0, -1, 3, 0, -1, -1, 2, 1, 4, 0];
  expect([...targets]).toEqual(
    expected.flatMap((id) => [0, 1, 2, 3, 4].map((token) => Number(token === id))),
  );
});

test("the table takes about 8 bytes per token, also with ids of two bytes", () => {
  // All words of two out of 59 characters, which share fewer prefixes than any list of names.
  const words = Array.from({ length: 59 * 59 }, (_, i) => [1 + Math.floor(i / 59), 1 + (i % 59)]);
  const names = Array.from({ length: 3000 }, (_, i) =>
    Array.from({ length: 6 }, (_, k) => 1 + ((i * (k + 3) + k * k * i) % 11)),
  );
  for (const list of [words, names]) {
    const stream = Uint16Array.from([0, ...list.flatMap((word) => [...word, 0])]);
    const examples = runToEnd(wordExamplesWork(stream, 300, choice));
    if (examples?.targets !== "soft") expect.unreachable();
    const { prefixOf, firstPair, pairs } = examples.prefixes;
    const bytes = [examples.starts, prefixOf, firstPair, pairs].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
    expect(bytes / stream.length).toBeLessThan(9);
  }
});

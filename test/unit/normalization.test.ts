/** The normal form of words: input and output have the same. */
import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { buildDataset, WordSet } from "../../worker/data/dataset";
import { eachWord, isReadable, normalizeWord } from "../../worker/data/normalization";
import { Vocabulary } from "../../worker/data/vocabulary";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { randomCheckpoint } from "../checkpoint";
import { scoreWords } from "../scores";

const all = { seed: 1, split: [1, 0, 0] as const, shuffle: false };

test.each(["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])(
  "lines may end with %j, and so may the last line",
  (separator) => {
    const text = ["anna", "bert", ""].join(separator);
    expect([...eachWord(text)]).toEqual(["anna", "bert", ""]);
    expect(buildDataset(text, all).stats).toMatchObject({ count: 2, dropped: 0 });
    // Between the words is one empty line.
    const gap = ["anna", "", "bert"].join(separator);
    expect(buildDataset(gap, all).stats).toMatchObject({ count: 2, dropped: 1 });
  },
);

/** Characters that combine, compose, are trimmed, or take two code units. */
const characters = fc.constantFrom(
  ...["a", "e", "é", "e\u0301", "\u0301", "\u0323", " ", "\u00a0", "\u3000", "\ufeff", "-", "."],
  ...["\u1100", "\u1161", "\u11a8", "가", "각", "\u212b", "Å", "ﬁ", "😀", "\u200d", "\u0627", "\u0653"],
);
const words = fc.array(fc.string({ unit: characters, minLength: 1, maxLength: 5 }), {
  minLength: 4,
  maxLength: 30,
});

test("normalising a word twice changes nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: characters }), (a, b) => {
      for (const word of [a, b, a + b, b + a]) {
        const normal = normalizeWord(word);
        expect(normalizeWord(normal)).toBe(normal);
        expect(normal).toBe(normal.trim());
        expect(normal).toBe(normal.normalize("NFC"));
      }
    }),
  );
});

test("every sampled word is normalised, fulfils the options, and can be scored", async () => {
  await fc.assert(
    fc.asyncProperty(
      words,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
      fc.nat(20),
      async (list, minLength, more, pick) => {
        const { characters: known } = Vocabulary.of(list.map(normalizeWord));
        fc.pre(known.length >= 2);
        const vocabulary = new Vocabulary(known);
        const inference = new Inference(
          async () => ort,
          randomCheckpoint({ contextLength: 2, embedding: 2, hidden: 3 }, vocabulary, pick),
        );
        const maxLength = Math.max(1, minLength + more);
        const listed = new Set(list.map(normalizeWord).filter((word) => word !== ""));
        const prefix = maxLength > 1 ? (known[pick % known.length] ?? "") : "";
        for (const options of [{}, { novel: true }, { unique: true }, { prefix }]) {
          const settings = sampleSettings(20, { seed: pick, minLength, maxLength, ...options });
          const sets = [WordSet.of(buildDataset(list.join("\n"), { ...all, vocabulary }).train)];
          const sampled = await inference.sample(20, settings, { known: sets }).catch((error) => {
            // So few characters may leave too few words. Then sample must reject.
            expect(error.code).toBe("SAMPLING_FAILED");
            return [];
          });
          for (const word of sampled) {
            expect(word).toBe(normalizeWord(word));
            expect(isReadable(word)).toBe(true);
            expect([...word].length).toBeGreaterThanOrEqual(minLength);
            expect([...word].length).toBeLessThanOrEqual(maxLength);
            if ("novel" in options) expect(listed).not.toContain(word);
            if ("prefix" in options) expect(word.startsWith(prefix.trimStart())).toBe(true);
          }
          if ("unique" in options) expect(new Set(sampled).size).toBe(sampled.length);
          const scored = sampled.filter((word) => word !== "");
          if (scored.length > 0)
            expect((await scoreWords(inference, vocabulary, scored)).map(({ word }) => word)).toEqual(scored);
        }
        await inference.dispose();
      },
    ),
    { numRuns: 40 },
  );
});

test("words never contain a line separator or an unreadable character of the vocabulary", async () => {
  const vocabulary = new Vocabulary(["\0", "\r", "a", "\u2028", "\ud83d", "\ufffd"]);
  const inference = new Inference(async () => ort, randomCheckpoint("mlp", vocabulary));
  const settings = sampleSettings(50, { seed: 1, maxLength: 4 });
  for (const word of await inference.sample(50, settings)) expect(word).toMatch(/^a+$/);
  await inference.dispose();
});

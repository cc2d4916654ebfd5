/** Conditions on sampled words, compared with the exact distribution over all words. */
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { PlainSampleOptions } from "../../src/protocol";
import { runToEnd } from "../../src/slices";
import type { ModelChoice } from "../../src/types";
import { NearWords } from "../../worker/data/nearWords";
import { Parts } from "../../worker/data/parts";
import type { Vocabulary } from "../../worker/data/vocabulary";
import { sampleSettings, samplingSettings } from "../../worker/options";
import type { ConditionLists } from "../../worker/sampling/conditions";
import { Inference } from "../../worker/sampling/inference";
import { LETTERS, namer, randomCheckpoint, vocabularyOf } from "../checkpoint";
import { makemoreError } from "../makemoreError";
import { scoreWords } from "../scores";

const abc = vocabularyOf(4);
/** Maximum word length: there are 363 words of a, b and c up to this length. */
const LONGEST = 5;

function streamOf(vocabulary: Vocabulary, words: readonly string[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0, ...words.flatMap((word) => [...vocabulary.encode(word), 0])]);
}

function avoiding(vocabulary: Vocabulary, ...words: string[]): ConditionLists {
  return { avoid: runToEnd(Parts.work(streamOf(vocabulary, words))) };
}

function listed(vocabulary: Vocabulary, ...words: string[]): ConditionLists {
  return { listed: [runToEnd(NearWords.work(streamOf(vocabulary, words)))] };
}

/** Finds all words within a number of edits by breadth-first search over strings of a, b and c. */
function within(word: string, edits: number): Set<string> {
  let reached = new Set([word]);
  for (let i = 0; i < edits; i++) {
    const next = new Set(reached);
    for (const from of reached)
      for (let at = 0; at <= from.length; at++) {
        const [before, after] = [from.slice(0, at), from.slice(at)];
        next.add(before + after.slice(1));
        if (after.length > 1) next.add(before + after.charAt(1) + after.charAt(0) + after.slice(2));
        for (const character of "abc") {
          next.add(before + character + after);
          if (after) next.add(before + character + after.slice(1));
        }
      }
    reached = next;
  }
  return reached;
}

/** Computes the probability of every word under the sampling options, without conditions. */
async function distribution(
  inference: Inference,
  { temperature = 1, topK = 4, minLength = 1, maxLength = LONGEST, prefix = "" }: PlainSampleOptions,
): Promise<Map<string, number>> {
  const words = new Map<string, number>();
  const visit = async (word: string, reached: number): Promise<void> => {
    if (word.length === maxLength) {
      words.set(word, reached);
      return;
    }
    // Likeliest first.
    const next = (await inference.next(word)).filter(
      ({ character }) => character !== "" || word.length >= minLength,
    );
    const weights = next
      .slice(0, topK)
      .map(({ character, probability }) => ({ character, weight: probability ** (1 / temperature) }));
    const total = weights.reduce((sum, { weight }) => sum + weight, 0);
    for (const { character, weight } of weights) {
      const probability = (reached * weight) / total;
      if (character === "") words.set(word, probability);
      else await visit(word + character, probability);
    }
  };
  await visit(prefix, 1);
  return words;
}

/** Chi-square of the sampled words, divided by its 0.999 quantile. */
function deviation(words: readonly string[], expected: ReadonlyMap<string, number>): number {
  const total = [...expected.values()].reduce((sum, p) => sum + p, 0);
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const word of counts.keys()) expect(expected.has(word), word).toBe(true);
  let square = 0;
  let cells = 0;
  // Rare words share one cell, because the test needs an expected count of at least 5 per cell.
  const rare = { n: 0, mean: 0 };
  const add = (n: number, mean: number) => {
    square += (n - mean) ** 2 / mean;
    cells++;
  };
  for (const [word, p] of expected) {
    const mean = (words.length * p) / total;
    const n = counts.get(word) ?? 0;
    if (mean >= 5) add(n, mean);
    else {
      rare.n += n;
      rare.mean += mean;
    }
  }
  if (rare.mean >= 5) add(rare.n, rare.mean);
  expect(cells).toBeGreaterThan(2);
  // Wilson and Hilferty's approximation of the quantile at 0.999.
  const part = 2 / (9 * (cells - 1));
  return square / ((cells - 1) * (1 - part + 3.09 * Math.sqrt(part)) ** 3);
}

const small: ModelChoice = { contextLength: 4, embedding: 3, hidden: 5 };

describe.each<[string, ModelChoice]>([
  ["wavenet", small],
  ["gru", { type: "gru", embedding: 4, hidden: 6 }],
  ["transformer", { type: "transformer", contextLength: 8, layers: 1, heads: 2, embedding: 4 }],
])("%s: words have the model's probabilities among those that fulfil", (name, model) => {
  const inference = new Inference(async () => ort, randomCheckpoint(model, abc));
  afterAll(() => inference.dispose());

  test.each<[PlainSampleOptions, ConditionLists, (word: string) => boolean]>([
    [{ suffix: "ca" }, {}, (word) => word.endsWith("ca")],
    [{ suffix: "bc", prefix: "ab" }, {}, (word) => word.endsWith("bc")],
    [{ suffix: "aa", temperature: 0.7, topK: 3, minLength: 3 }, {}, (word) => word.endsWith("aa")],
    [{ contains: "cb" }, {}, (word) => word.includes("cb")],
    [{ contains: "aa", prefix: "a" }, {}, (word) => word.includes("aa")],
    [{ contains: "b", suffix: "c" }, {}, (word) => word.includes("b") && word.endsWith("c")],
    [{ pattern: { source: "^(?:[ab]c)+$", flags: "" } }, {}, (word) => /^(?:[ab]c)+$/.test(word)],
    [{ suffix: "a" }, avoiding(abc, "bb", "cac", "b"), (word) => /^[ac]*a$/.test(word) && !/cac/.test(word)],
    [{ minDistance: 2 }, listed(abc, "ab", "cca"), (word) => !near.has(word)],
    [
      { suffix: "b", minDistance: 2, contains: "a" },
      { ...listed(abc, "ab", "cca"), ...avoiding(abc, "cc") },
      (word) => word.endsWith("b") && word.includes("a") && !word.includes("cc") && !near.has(word),
    ],
  ])("%o", async (options, lists, fits) => {
    const count = name === "wavenet" ? 4000 : 1500;
    const settings = sampleSettings(count, { seed: 5, maxLength: LONGEST, ...options });
    const words = await inference.sample(count, settings, lists);
    expect(words).toHaveLength(count);
    const all = await distribution(inference, options);
    expect([...all.values()].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    const fitting = new Map([...all].filter(([word]) => fits(word)));
    // Allow 1.5 instead of 1, because words of one walk are not independent. The seed is fixed, so this is not flaky.
    expect(deviation(words, fitting)).toBeLessThan(1.5);
  });
});

const near = new Set([...within("ab", 1), ...within("cca", 1)]);

async function sample(
  count: number,
  options: PlainSampleOptions,
  lists?: ConditionLists,
  memory?: number,
): Promise<string[]> {
  const inference = new Inference(async () => ort, namer(), memory);
  try {
    return await inference.sample(count, sampleSettings(count, { seed: 1, ...options }), lists);
  } finally {
    await inference.dispose();
  }
}

test("words with very rare endings and parts are found", async () => {
  for (const word of await sample(30, { suffix: "qzxj", unique: true, maxLength: 20 }))
    expect(word).toMatch(/qzxj$/);
  const words = await sample(30, { contains: "qzxj", prefix: "e", unique: true, maxLength: 20 });
  for (const word of words) expect(word).toMatch(/^e.*qzxj/);
  expect(words.some((word) => !word.endsWith("qzxj"))).toBe(true);
  expect(await sample(2, { prefix: "anna", suffix: "nab", maxLength: 5 })).toEqual(["annab", "annab"]);
});

test("the words do not depend on the memory, nor on calls or batches", async () => {
  for (const options of [
    { suffix: "na", maxLength: 9 },
    { contains: "ei", unique: true, maxLength: 9 },
  ]) {
    const expected = await sample(70, options);
    for (const memory of [20_000, 200_000]) {
      expect(await sample(70, options, {}, memory)).toEqual(expected);
      const inference = new Inference(async () => ort, namer(), memory);
      const found: string[] = [];
      const take = async (words: readonly string[]) => void found.push(...words);
      const settings = samplingSettings("words", { seed: 1, ...options });
      await inference.stream(settings, take, {}, () => found.length === 70);
      expect(found).toEqual(expected);
      await inference.dispose();
    }
  }
});

test.each<[PlainSampleOptions, ConditionLists, string, RegExp]>([
  [{ prefix: "ab", maxLength: 2, unique: true }, {}, "unique", /only 1 of 9 words/],
  [{ pattern: { source: "[A-Z]", flags: "" } }, {}, "pattern", /refused by pattern \(\/\[A-Z\]\/\)/],
  [
    { prefix: "bb", suffix: "a", maxLength: 5, contains: "zzz" },
    {},
    "contains",
    /refused by contains \("zzz"\)/,
  ],
  [{ suffix: "zx", topK: 1, maxLength: 9 }, {}, "suffix", /refused by suffix \("zx"\)/],
  [{}, avoiding(LETTERS, ...LETTERS.characters), "avoid", /refused by avoid\./],
  [
    { minDistance: 50, maxLength: 9 },
    listed(LETTERS, "emma"),
    "minDistance",
    /refused by minDistance \(50\)/,
  ],
])(
  "%o leaves too few words, and the error names the condition",
  async (options, lists, condition, message) => {
    const error = await sample(9, options, lists).catch((reason) => reason);
    expect(error).toMatchObject({
      code: "SAMPLING_FAILED",
      condition,
      message: expect.stringMatching(message),
    });
    expect(error.words).toEqual(condition === "unique" ? ["ab"] : []);
  },
);

test.each<[PlainSampleOptions, RegExp, ConditionLists?]>([
  [{ suffix: "" }, /suffix is ""; it must be a string that is not empty/],
  [{ suffix: " " }, /suffix is " "; it must be a string that is not empty/],
  [{ contains: "" }, /contains is ""; it must be a string that is not empty/],
  [{ suffix: "ova!" }, /suffix is "ova!", and the model never saw "!"/],
  [{ contains: "É" }, /contains is "É", and the model never saw "É"/],
  [{ suffix: "abcd", maxLength: 3 }, /suffix is "abcd", which is longer than maxLength, 3/],
  [{ prefix: "anna", suffix: "nab", maxLength: 4 }, /suffix is "nab", and prefix "anna"; together .* 4/],
  [{ prefix: "anna", contains: "xy", maxLength: 5 }, /contains is "xy", and prefix "anna"; together/],
  [{ minDistance: -1 }, /minDistance is -1; it must be a whole number from 0 to 1000/],
  [{ orderBy: "length" as never }, /orderBy is "length"; it must be "likelihood"/],
  [{ suffix: "lass" }, /avoid has "ass", which is in suffix, "lass"/, avoiding(LETTERS, "ass")],
  [{ prefix: "assa" }, /avoid has "ass", which is in prefix, "assa"/, avoiding(LETTERS, "ass")],
  [{ pattern: { source: "(a+)+$", flags: "" } }, /pattern is \/\(a\+\)\+\$\/, which takes \d+ ms for "a+/],
  [{ pattern: { source: "^(\\w+\\s?)*$", flags: "" } }, /pattern is .* avoid repeats inside of repeats/],
])("%o is refused before ONNX Runtime is loaded", async (options, message, lists) => {
  const load = vi.fn(async () => ort);
  const inference = new Inference(load, namer());
  const call = (async () => inference.sample(1, sampleSettings(1, options), lists))();
  await expect(call).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(message),
  });
  expect(load).not.toHaveBeenCalled();
});

test("only sample orders words", () => {
  expect(() => samplingSettings("words", { orderBy: "likelihood" })).toThrow(
    makemoreError("INVALID_OPTION", /words: there is no option "orderBy"/),
  );
});

test("a pattern's lastIndex does not matter", async () => {
  const expected = await sample(30, { pattern: { source: "a", flags: "i" } });
  expect(new Set(expected).size).toBeGreaterThan(20);
  expect(await sample(30, { pattern: { source: "a", flags: "gi" } })).toEqual(expected);
  // A sticky pattern matches only at its start position.
  for (const word of await sample(30, { pattern: { source: "a", flags: "y" } })) expect(word).toMatch(/^a/);
});

test.each<ModelChoice>([small, { type: "gru", embedding: 4, hidden: 6 }])(
  "%o: words are sorted by the likelihood that score gives",
  async (model) => {
    const inference = new Inference(async () => ort, randomCheckpoint(model, abc));
    const options = { seed: 2, maxLength: 6, unique: true };
    const words = await inference.sample(60, sampleSettings(60, options));
    const ordered = await inference.sample(60, sampleSettings(60, { ...options, orderBy: "likelihood" }));
    expect([...ordered].sort()).toEqual([...words].sort());
    const scores = (await scoreWords(inference, abc, ordered)).map(({ logLikelihood }) => logLikelihood);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(new Set(scores).size).toBeGreaterThan(50);
    await inference.dispose();
  },
);

test("the distance is the smallest number of edits", () => {
  const words = [...within("", 5)].filter((word) => /^[abc]{1,5}$/.test(word));
  expect(words).toHaveLength(363);
  // "ca" to "abc" takes 2: a swap, then an insertion between the two.
  const lists = words.map((other) => ({ other, list: runToEnd(NearWords.work(streamOf(abc, [other]))) }));
  for (const word of ["ca", "a", "abcab", "bbaac"])
    for (let edits = 0; edits <= 4; edits++) {
      const reached = within(word, edits);
      const found = lists.filter(({ list }) => list.hasWithin(abc.encode(word), edits));
      expect(found.map(({ other }) => other)).toEqual(words.filter((other) => reached.has(other)));
    }
});

test("the near words among many are found", () => {
  const words = [...within("abcab", 2)].filter((word) => word !== "");
  for (const word of ["abcab", "ccccc", "ab"])
    for (let edits = 0; edits <= 3; edits++) {
      const reached = within(word, edits);
      const far = words.filter((other) => !reached.has(other));
      const some = runToEnd(NearWords.work(streamOf(abc, words)));
      expect(some.hasWithin(abc.encode(word), edits)).toBe(far.length < words.length);
      if (far.length === 0) continue;
      const others = runToEnd(NearWords.work(streamOf(abc, far)));
      expect(others.hasWithin(abc.encode(word), edits)).toBe(false);
    }
});

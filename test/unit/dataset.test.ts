import { expect, test } from "vitest";
import { runToEnd } from "../../src/slices";
import {
  buildDataset,
  drawBatch,
  exampleCount,
  longestOf,
  readContext,
  trainingExamples,
  WordSet,
} from "../../worker/data/dataset";
import { fingerprintWork, refuseOtherOrder, refuseOtherWords } from "../../worker/data/fingerprint";
import { Vocabulary } from "../../worker/data/vocabulary";
import { makemoreError } from "../makemoreError";

const all = { seed: 1, split: [1, 0, 0] as const, shuffle: false };

test("words become one stream, with boundaries between them and ids in code point order", () => {
  const { train, vocabulary, stats } = buildDataset("emma\nava\n", all);
  expect(vocabulary.characters).toEqual(["a", "e", "m", "v"]);
  expect([...train]).toEqual([0, 2, 3, 3, 1, 0, 1, 4, 1, 0]);
  expect(train).toBeInstanceOf(Uint8Array);
  expect(stats).toEqual({ count: 2, dropped: 0, repeated: 0, split: { train: 2, validation: 0, test: 0 } });
});

test("examples are those of the lecture's build_dataset: every character and boundary once", () => {
  const words = ["emma", "ava", "isabella-marie"];
  const { train, vocabulary } = buildDataset(words.join("\n"), all);
  // The lecture's loop, with its "." as 0.
  const expected: { context: number[]; target: number }[] = [];
  for (const word of words) {
    let context = new Array<number>(8).fill(0);
    for (const target of [...vocabulary.encode(word), 0]) {
      expected.push({ context, target });
      context = [...context.slice(1), target];
    }
  }
  const got = Array.from({ length: exampleCount(train) }, (_, i) => {
    const context = new Array<number>(8);
    readContext(train, i + 1, 8, context);
    return { context, target: train[i + 1] };
  });
  expect(got).toEqual(expected);
});

test("words are trimmed and normalised to NFC; inner spaces stay, empty words are dropped, repeats counted", () => {
  const { stats, vocabulary, train } = buildDataset("  new york \n\n\t\ne\u0301a\n\u00e9a\nnew york\n", all);
  expect(stats).toMatchObject({ count: 4, dropped: 2, repeated: 2 });
  expect(vocabulary.decode(train.subarray(1, 9))).toBe("new york");
  expect(vocabulary.characters).toContain("\u00e9");
  expect(vocabulary.characters).not.toContain("\u0301");
});

test("a character is a code point, a dot is an ordinary one", () => {
  const { vocabulary } = buildDataset("a.b\n😀x", all);
  expect(vocabulary.characters).toEqual([".", "a", "b", "x", "😀"]);
});

test("more than 255 characters take two bytes a token", () => {
  const words = Array.from({ length: 300 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("\n");
  const { train, vocabulary } = buildDataset(words, all);
  expect(train).toBeInstanceOf(Uint16Array);
  expect(vocabulary.size).toBe(301);
  expect(train[train.length - 2]).toBe(300);
});

test.each([
  ["", /no words/],
  [" \n \n\t", /All 3 words are empty/],
  ["aaa\naa", /only one character, "a"/],
])("%j is refused", (text, message) => {
  expect(() => buildDataset(text, all)).toThrow(makemoreError("INVALID_WORDS", message));
});

test("a vocabulary over the limit is refused, and the error has both numbers", () => {
  const characters = Array.from({ length: 66_000 }, (_, i) => String.fromCodePoint(0xf0000 + i));
  expect(() => buildDataset(characters.join("\n"), all)).toThrow(
    makemoreError("INVALID_WORDS", /66000 different characters; at most 65534/),
  );
});

test("the split is the lecture's: the first 80 %, the next 10 %, and all the rest", () => {
  const words = Array.from({ length: 32_033 }, (_, i) => `w${i.toString(7)}`).join("\n");
  const { stats } = buildDataset(words, { ...all, split: [0.8, 0.1, 0.1] });
  // int(0.8 * 32033), int(0.9 * 32033), as in the lecture.
  expect(stats.split).toEqual({ train: 25_626, validation: 3_203, test: 3_204 });
});

test("the shuffle depends on the seed, loses no word, and comes before the split", () => {
  const words = Array.from({ length: 1000 }, (_, i) => `w${i}`).join("\n");
  const order = (seed: number) => {
    const { train, vocabulary } = buildDataset(words, { seed, split: [1, 0, 0], shuffle: true });
    return vocabulary
      .decode([...train].map((id) => id))
      .split("w")
      .slice(1);
  };
  expect(order(1)).toEqual(order(1));
  expect(order(1)).not.toEqual(order(2));
  expect(
    order(1)
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 1000 }, (_, i) => i));
});

test("a given vocabulary is kept, and the error names a character outside it", () => {
  const vocabulary = new Vocabulary(["a", "b", "z"]);
  expect([...buildDataset("az", { ...all, vocabulary }).train]).toEqual([0, 1, 3, 0]);
  expect(() => buildDataset("ac", { ...all, vocabulary })).toThrow(
    makemoreError("INVALID_WORDS", /"c", which the model never saw; it knows "abz"/),
  );
});

test("the longest word is found in any split, and group tokens count neither as characters nor as examples", () => {
  const words = ["ab", "abc", "ba"];
  const options = { seed: 1, split: [0.34, 0.33, 0.33] as const, shuffle: false };
  for (let turn = 0; turn < words.length; turn++) {
    // The first word trains, the second validates, the third tests.
    words.push(words.shift() ?? "");
    const alone = buildDataset(words.join("\n"), options);
    const grouped = buildDataset(new Map([["x", words.join("\n")]]), options);
    for (const dataset of [alone, grouped]) {
      expect(dataset.stats.split).toEqual({ train: 1, validation: 1, test: 1 });
      expect(dataset.vocabulary.decode(longestOf(dataset))).toBe("abc");
      // Its characters and its end.
      expect(trainingExamples(dataset)).toBe((words[0] ?? "").length + 1);
    }
  }
});

test("minibatches are positions of examples; the same key gives the same ones", () => {
  const { train } = buildDataset("emma\nolivia\nava", all);
  const batch = drawBatch(train, 42, 7, 512);
  expect(batch).toEqual(drawBatch(train, 42, 7, 512));
  expect(batch).not.toEqual(drawBatch(train, 42, 8, 512));
  expect(Math.min(...batch)).toBe(1);
  expect(Math.max(...batch)).toBe(train.length - 1);
});

test("a set of words contains its words and no others", () => {
  const { train, vocabulary } = buildDataset("emma\nem\nolivia\nava\nemma", all);
  const set = WordSet.of(train);
  for (const word of ["emma", "em", "olivia", "ava"]) expect(set.has(vocabulary.encode(word))).toBe(true);
  for (const word of ["emm", "mma", "o", "avaa", ""]) expect(set.has(vocabulary.encode(word))).toBe(false);
});

test("a set does not contain the beginnings of its words, wherever their hashes point", () => {
  const word = "abcdefghijklmnopqrstuvwxyz";
  const { train, vocabulary } = buildDataset(word, all);
  const set = WordSet.of(train);
  for (let length = 1; length < word.length; length++)
    expect(set.has(vocabulary.encode(word.slice(0, length)))).toBe(false);
});

test("the fingerprint is the one that docs/onnx.md defines", () => {
  const options = { seed: 1, split: [0.5, 0.25, 0.25] as const, shuffle: false };
  // Computed in Python by the definition.
  expect(runToEnd(fingerprintWork(buildDataset("emma\nava\nemma\nbob", options)))).toEqual({
    count: 4,
    order: 2_691_266_602,
    set: 967_561_179,
  });
});

test("the same words in another order are refused everywhere, other words only where the training goes on", () => {
  const trained = { count: 3, order: 1, set: 2 };
  const refused = (given: typeof trained) =>
    [refuseOtherOrder, refuseOtherWords].map((refuse) => {
      try {
        refuse("resume", trained, given);
        return "";
      } catch (error) {
        return String(error);
      }
    });
  const order = expect.stringMatching(/the 3 words of the training in another order/);
  expect(refused(trained)).toEqual(["", ""]);
  expect(refused({ ...trained, order: 5 })).toEqual([order, order]);
  expect(refused({ ...trained, order: 5, set: 6 })).toEqual([
    "",
    expect.stringMatching(/these are other ones/),
  ]);
  // More words may have the same sum.
  expect(refused({ ...trained, order: 5, count: 4 })).toEqual(["", expect.stringMatching(/these are 4/)]);
});

/** Models of several lists: every call respects the groups. */
import { readFileSync } from "node:fs";
import { IDBFactory } from "fake-indexeddb";
import * as ort from "onnxruntime-node";
import "fake-indexeddb/auto";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import type { PlainTrainOptions } from "../../src/protocol";
import { wordScores } from "../../src/scores";
import { runToEnd } from "../../src/slices";
import type { Classification, GroupChoice, WordGroups, WordScore, Words } from "../../src/types";
import { WordSender } from "../../src/wordSender";
import { buildDataset, type TokenStream } from "../../worker/data/dataset";
import { readONNX } from "../../worker/onnx/read";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { Session } from "../../worker/session";
import { makemoreError } from "../makemoreError";
import { convolutionLogits, incrementalLogits, windowLogits } from "../onnxRuntime";
import { sentByPage } from "../sentWords";
import { list, onEvents, onPart, sampled, settled } from "../session";
import { sequenceLogits, stepLogits } from "../wordForms";

vi.mock("../../worker/assets", async () => (await import("../session")).nodeAssets());

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

/** Two groups of words, each with its own alphabet. */
const elves = Array.from({ length: 120 }, (_, i) => word("aeil", i));
const dwarves = Array.from({ length: 60 }, (_, i) => word("bdgk", i + 7));
const disjoint = { elves, dwarves };
const isElvish = /^[aeil]+$/;
const isDwarvish = /^[bdgk]+$/;

function word(letters: string, i: number): string {
  const length = 2 + (i % 4);
  return Array.from({ length }, (_, k) => letters[(i * (k + 1) + (i >> 2)) % letters.length]).join("");
}

async function trained(words: WordGroups, options: PlainTrainOptions): Promise<Session> {
  const session = new Session();
  await settled(session.train(1, { keepBest: false, ...options }, sentByPage(words), onEvents()));
  return session;
}

async function scored(session: Session, words: readonly string[], group?: GroupChoice): Promise<WordScore[]> {
  const scores: WordScore[] = [];
  const take = onPart(
    (part: Parameters<typeof wordScores>[0]) => void scores.push(...runToEnd(wordScores(part))),
  );
  await settled(session.score(30, { group }, list(words), take));
  return scores;
}

async function classified(session: Session, words: readonly string[]): Promise<Classification[]> {
  const found: Classification[] = [];
  const take = onPart((part: Classification[]) => void found.push(...part));
  await settled(session.classify(31, {}, list(words), take));
  return found;
}

/** No weight decay, unlike the default recipe for short lists, so that the models learn the words by heart. */
const optimizer = { type: "adamw", weightDecay: 0 } as const;
const rate = { optimizer, learningRate: 0.01, steps: 700, batchSize: 32 } as const;
const wavenet = { ...rate, model: { contextLength: 4, embedding: 8, hidden: 16 } } as const;
const models: Record<string, PlainTrainOptions> = {
  wavenet,
  "wavenet, random order, hard targets": { ...wavenet, order: "random", targets: "hard" },
  "wavenet, even order, hard targets": { ...wavenet, order: "even", targets: "hard" },
  "wavenet with a teacher": { ...wavenet, teacher: "ngram" },
  mlp: { ...rate, model: { type: "mlp", contextLength: 3, embedding: 6, hidden: 24 } },
  bigram: { ...rate, model: "bigram", learningRate: 0.1 },
  bow: { ...rate, model: { type: "bow", embedding: 16, hidden: 16 } },
  gru: { ...rate, model: { type: "gru", embedding: 8, hidden: 16 }, recipe: "makemore" },
  transformer: { ...rate, model: { type: "transformer", layers: 1, heads: 2, embedding: 16 } },
};

describe.each(Object.entries(models))("%s", (name, options) => {
  let session: Session;

  beforeAll(async () => {
    session = await trained(disjoint, options);
  });

  test("the words of a group have the letters of that group", async () => {
    const samples = 200;
    const ofElves = await sampled(session, { group: "elves", seed: 1 }, samples);
    const ofDwarves = await sampled(session, { group: "dwarves", seed: 1 }, samples);
    // Allow a few words per hundred: such small models give unseen words some probability.
    const share = (words: string[], kind: RegExp) => words.filter((word) => kind.test(word)).length / samples;
    expect(share(ofElves, isElvish)).toBeGreaterThan(0.95);
    expect(share(ofDwarves, isDwarvish)).toBeGreaterThan(0.95);
    const turns = await sampled(session, { seed: 2 }, samples);
    expect(share(turns, isElvish)).toBeCloseTo(0.5, 1);
  });

  test("classify tells the groups apart, and equals Bayes' rule over score", async () => {
    const words = ["ailea", "bdgk", "ei", "kab"];
    const found = await classified(session, words);
    expect(found.map(({ group }) => group).slice(0, 3)).toEqual(["elves", "dwarves", "elves"]);
    const scores = {
      elves: await scored(session, words, "elves"),
      dwarves: await scored(session, words, "dwarves"),
    };
    const any = await scored(session, words);
    const half = await scored(session, words, { elves: 1, dwarves: 1 });
    for (const [i, { word, probabilities }] of found.entries()) {
      expect(word).toBe(words[i]);
      const [a = 0, b = 0] = [scores.elves[i]?.logLikelihood, scores.dwarves[i]?.logLikelihood];
      expect(probabilities.elves).toBeCloseTo(1 / (1 + Math.exp(b - a)), 5);
      expect((probabilities.elves ?? 0) + (probabilities.dwarves ?? 0)).toBeCloseTo(1, 10);
      // Without a group, score gives the likelihood of the word in either group.
      expect(any[i]?.logLikelihood).toBeCloseTo(Math.log((Math.exp(a) + Math.exp(b)) / 2), 3);
      for (const [k, { surprise }] of half[i]?.surprises.entries() ?? []) {
        const of = (group: WordScore[]) => Math.exp(-(group[i]?.surprises[k]?.surprise ?? 0));
        expect(surprise).toBeCloseTo(-Math.log((of(scores.elves) + of(scores.dwarves)) / 2), 4);
      }
    }
  });

  test("next has the same distribution as score", async () => {
    for (const group of ["elves", { elves: 0.2, dwarves: 0.8 }, undefined] as const) {
      const next = await settled(session.next(32, { group }, "a"));
      expect(next.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 10);
      expect(next).toHaveLength(9);
      const [ai] = await scored(session, ["ai"], group);
      const i = next.find(({ character }) => character === "i")?.probability ?? 0;
      expect(ai?.surprises[1]?.surprise).toBeCloseTo(-Math.log(i), 4);
    }
  });

  test("evaluate is score's mean over the training words, each in its own group", async () => {
    const { train, validation, test } = await settled(session.evaluate(33, {}, sentByPage(disjoint)));
    const all = [...(await scored(session, elves, "elves")), ...(await scored(session, dwarves, "dwarves"))];
    const places = all.reduce((sum, { surprises }) => sum + surprises.length, 0);
    const mean = -all.reduce((sum, { logLikelihood }) => sum + logLikelihood, 0) / places;
    const lowest = Math.min(train, validation, test);
    const highest = Math.max(train, validation, test);
    expect(mean).toBeGreaterThan(lowest);
    expect(mean).toBeLessThan(highest);
  });

  test("every form of its file, run as docs/onnx.md says, has the numbers of score", async () => {
    const checkpoint = readONNX(await settled(session.exportONNX(34, {})));
    const { vocabulary, network } = checkpoint;
    const word = "leagl";
    const tokens = [vocabulary.groupId("dwarves"), ...vocabulary.encode(word)];
    const [expected] = await scored(session, [word], "dwarves");
    const forms =
      network.example === "word"
        ? [
            (await sequenceLogits(ort, checkpoint, [tokens])).values,
            (await stepLogits(ort, checkpoint, [tokens])).values,
          ]
        : [
            await windowLogits(checkpoint, [tokens]),
            ...(network.chain
              ? [await convolutionLogits(checkpoint, [tokens]), await incrementalLogits(checkpoint, [tokens])]
              : []),
          ];
    for (const logits of forms) {
      // The first row of the window form predicts the group.
      const first = network.example === "word" ? 0 : 1;
      for (const [i, { surprise }] of expected?.surprises.entries() ?? []) {
        const from = (first + i) * vocabulary.size;
        const row = [...logits.slice(from, from + vocabulary.firstGroup)];
        const sum = row.reduce((total, value) => total + Math.exp(value), 0);
        // Tolerance: float32 sums in another order.
        expect(surprise).toBeCloseTo(Math.log(sum) - (row[tokens[i + 1] ?? 0] ?? Number.NaN), 3);
      }
    }
  });

  test("resuming from a file or a save gives the same bits as an unbroken training", async () => {
    const half = { ...options, keepBest: false, steps: 20, learningRate: 0.02 };
    const unbroken = await trained(disjoint, { ...half, steps: 40 });
    const first = new Session();
    const stop = onEvents(({ step }) => step >= 20 && first.stop(1));
    await settled(first.train(1, { ...half, steps: 40, evalEvery: 20 }, sentByPage(disjoint), stop));
    const file = await settled(first.exportONNX(2, {}));
    const expected = await settled(unbroken.exportONNX(3, {}));

    const loaded = new Session();
    expect(await settled(loaded.load(4, file.slice(), {}, undefined))).toMatchObject({
      groups: ["elves", "dwarves"],
    });
    // The order of the groups does not matter, but their names and words do.
    const swapped = { dwarves, elves };
    await settled(loaded.resume(5, {}, sentByPage(swapped), onEvents()));
    expect(await settled(loaded.exportONNX(6, {}))).toEqual(expected);

    await settled(first.save(7, {}, name));
    const opened = new Session();
    await settled(opened.open(8, name));
    const known = await sampled(opened, { novel: true, seed: 3 }, 20);
    for (const word of known) expect([...elves, ...dwarves]).not.toContain(word);
    await settled(opened.resume(9, {}, undefined, onEvents()));
    expect(await settled(opened.exportONNX(10, {}))).toEqual(expected);
  });
});

test("weights mix the groups at every character", async () => {
  const session = await trained(disjoint, models.gru ?? {});
  const words = await sampled(session, { group: { elves: 9, dwarves: 1 }, seed: 4 }, 500);
  const first = words.filter((word) => isDwarvish.test(word.slice(0, 1))).length;
  // 50 of 500 are expected, with a standard deviation of 7.
  expect(first).toBeGreaterThan(20);
  expect(first).toBeLessThan(80);
  // A single group with any weight is the same as that group.
  const alone = await sampled(session, { group: { elves: 0.1 }, seed: 5 }, 50);
  expect(alone).toEqual(await sampled(session, { group: "elves", seed: 5 }, 50));
  // It also works with little memory, and with a prefix.
  for (const word of await sampled(
    session,
    { group: { elves: 1, dwarves: 1 }, prefix: "ei", minLength: 3 },
    20,
  ))
    expect(word).toMatch(/^ei[aeilbdgk]+$/);
});

test.each(["wavenet", "transformer"])(
  "a mixture gives the same words with little memory: %s",
  async (name) => {
    const session = await trained(disjoint, { ...models[name], steps: 50 });
    const checkpoint = readONNX(await settled(session.exportONNX(2, {})));
    for (const group of [{ elves: 2, dwarves: 1 }, "dwarves", undefined]) {
      const [large, small] = [undefined, 1 << 16].map(
        (memory) => new Inference(async () => ort, checkpoint, memory),
      );
      const settings = sampleSettings(300, { group, seed: 6, prefix: "a", unique: false });
      const words = await large?.sample(300, settings);
      expect(new Set(words).size).toBeGreaterThan(20);
      expect(await small?.sample(300, settings)).toEqual(words);
      await Promise.all([large?.dispose(), small?.dispose()]);
    }
  },
);

test("words that a condition makes start again keep their group", async () => {
  const session = await trained(disjoint, models.wavenet ?? {});
  const words = await sampled(session, { contains: "a", minLength: 3, seed: 7 }, 100);
  // Dwarves' words have no "a", except for the few mixed words that the tests above allow.
  for (const word of words) expect(word).toContain("a");
  const ordered = await sampled(session, { pattern: /^(.)(.).*$/, seed: 8 }, 100);
  const pure = ordered.filter((word) => isElvish.test(word) || isDwarvish.test(word));
  expect(pure.length).toBeGreaterThan(90);
});

test("each group is split by the same shares, shuffled or not", async () => {
  for (const shuffle of [true, false]) {
    const lists = new Map([
      ["elves", elves.join("\n")],
      ["dwarves", dwarves.join("\n")],
      ["rare", "ab\nba"],
    ]);
    const { train, validation, test, vocabulary, stats } = buildDataset(lists, {
      seed: 1,
      split: [0.8, 0.1, 0.1],
      shuffle,
    });
    const count = (stream: TokenStream, group: string) =>
      stream.filter((token) => token === vocabulary.groupId(group)).length;
    expect([train, validation, test].map((stream) => count(stream, "elves"))).toEqual([96, 12, 12]);
    expect([train, validation, test].map((stream) => count(stream, "dwarves"))).toEqual([48, 6, 6]);
    expect([train, validation, test].map((stream) => count(stream, "rare"))).toEqual([1, 0, 1]);
    expect(stats.split).toEqual({ train: 145, validation: 18, test: 19 });
    expect(vocabulary.size).toBe(1 + 8 + 3);
    // The beginning of a split has both groups, because estimates use only the beginning.
    const half = validation.subarray(0, validation.length / 2);
    expect(count(half, "dwarves")).toBeGreaterThan(0);
  }
});

test("a single list gives the same tokens as before groups existed", async () => {
  const alone = buildDataset("ab\nba\naab", { seed: 1, split: [1, 0, 0], shuffle: false });
  expect([...alone.train]).toEqual([0, 1, 2, 0, 2, 1, 0, 1, 1, 2, 0]);
  const grouped = buildDataset(new Map([["x", "ab\nba\naab"]]), {
    seed: 1,
    split: [1, 0, 0],
    shuffle: false,
  });
  expect([...grouped.train]).toEqual([0, 3, 1, 2, 0, 3, 2, 1, 0, 3, 1, 1, 2, 0]);
  expect(grouped.vocabulary.decode(grouped.train)).toBe("abbaaab");
});

test("warnings about the words of a group are notices of the training", async () => {
  const lines = { csv: ["anna,1", "bob,2", "carl,3"], words: ["anna", "bob"] };
  const options = { steps: 2, model: wavenet.model, keepBest: false };
  const { notices } = await settled(new Session().train(1, options, sentByPage(lines), onEvents()));
  expect(notices).toContainEqual(expect.stringMatching(/look like lines of a CSV file, such as "bob,2"/));
});

describe("refused", () => {
  const one = { steps: 2, model: wavenet.model } as const;
  let grouped: Session;

  beforeAll(async () => {
    grouped = await trained(disjoint, one);
  });

  test.each([
    [{ "": ["ab"] }, 'INVALID_WORDS.*a group\'s name is ""'],
    [{ " elves": ["ab"] }, "INVALID_WORDS.*without spaces at its ends"],
    [{ "a\nb": ["ab"] }, "INVALID_WORDS.*on one line"],
    [{ elves: [] }, 'INVALID_WORDS.*train: group "elves": there are no words'],
    [{ elves: ["ab"], dwarves: ["  "] }, 'INVALID_WORDS.*1 words of the group "dwarves" are empty'],
    [{ elves: 5 }, 'INVALID_WORDS.*group "elves": the words are 5'],
    [{ elves: ["ab"], dwarves: ["a\nb"] }, 'INVALID_WORDS.*group "dwarves": word 0'],
    [{ elves: "[1, 2]" }, 'INVALID_WORDS.*group "elves": the words are JSON'],
    [{}, "INVALID_WORDS.*must be an iterable"],
  ])("the lists %j", async (words, message) => {
    // The page throws some errors at once, and others while it sends.
    const call = async () => {
      const sender = new WordSender(words as never, "train");
      void sender.send(new AbortController().signal);
      await settled(new Session().train(1, one, sender.encoded, onEvents()));
    };
    const error = await call().catch((reason: unknown) => reason);
    const text = error instanceof MakemoreError ? `${error.code}: ${error.message}` : String(error);
    expect(text).toMatch(new RegExp(message));
  });

  test.each([
    ["orcs", 'no group "orcs"; there are "elves", "dwarves"'],
    [{ elves: 1, orcs: 1 }, 'no group "orcs"'],
    [{ elves: 0 }, "group.elves is 0; it must be a number above 0"],
    [{ elves: -1 }, "group.elves is -1"],
    [{ elves: Number.NaN }, "group.elves is NaN"],
    [{}, "group is {}; it must be a group's name, or weights"],
    [5, "group is 5"],
    ["", 'no group ""'],
  ])("the group %j", async (group, message) => {
    const choice = group as GroupChoice;
    await expect(sampled(grouped, { group: choice }, 1)).rejects.toThrow(`INVALID_OPTION: sample: `);
    await expect(sampled(grouped, { group: choice }, 1)).rejects.toThrow(message);
    await expect(scored(grouped, ["ai"], choice)).rejects.toThrow(message);
    await expect(settled(grouped.next(1, { group: choice }, ""))).rejects.toThrow(message);
  });

  test("groups of a model without groups, and one list of a model with groups", async () => {
    const alone = new Session();
    await settled(alone.train(1, one, list(elves), onEvents()));
    const message = /INVALID_OPTION.*the model has no groups/;
    await expect(sampled(alone, { group: "elves" }, 1)).rejects.toThrow(message);
    await expect(scored(alone, ["ai"], "elves")).rejects.toThrow(message);
    await expect(classified(alone, ["ai"])).rejects.toThrow(/INVALID_MODEL.*classify/);
    await expect(settled(alone.evaluate(2, {}, sentByPage(disjoint)))).rejects.toThrow(/no groups/);
    const resume = (words: Words | WordGroups) =>
      settled(grouped.resume(3, { steps: 4 }, sentByPage(words), onEvents()));
    await expect(resume(elves)).rejects.toThrow(/INVALID_WORDS.*one list.*"elves", "dwarves"/);
    await expect(resume({ elves, orcs: dwarves })).rejects.toThrow(/INVALID_WORDS.*"elves", "orcs"/);
    await expect(resume({ elves: dwarves, dwarves: elves })).rejects.toThrow(/INVALID_WORDS/);
    await expect(settled(grouped.score(4, {}, sentByPage(disjoint), onPart()))).rejects.toThrow(
      /INVALID_WORDS: score: .*one list/,
    );
    // None of these calls changed the model.
    expect(await sampled(grouped, {}, 3)).toHaveLength(3);
  });

  test("too many groups for the ids", () => {
    const lists = new Map(Array.from({ length: 65_534 }, (_, i) => [`g${i}`, "ab"]));
    expect(() => buildDataset(lists, { seed: 1, split: [1, 0, 0], shuffle: false })).toThrow(
      makemoreError("INVALID_WORDS", /There are 65534 groups; at most 65532/),
    );
  });
});

test("classify tells girls' names from boys' names", async () => {
  const [girls, boys] = ["girls", "boys"].map((sex) =>
    readFileSync(`bench/words/${sex}-2016.txt`, "utf8").trim().split("\n"),
  );
  if (!girls || !boys) return expect.unreachable();
  // Hold out every fifth name.
  const isLeft = (_: string, i: number) => i % 5 === 4;
  const learned = (names: string[]) => names.filter((name, i) => !isLeft(name, i));
  const session = await trained(
    { girls: learned(girls), boys: learned(boys) },
    { keepBest: true, model: { type: "gru" }, steps: 1000 },
  );
  const found = [
    ...(await classified(session, girls.filter(isLeft))).map(({ group }) => group === "girls"),
    ...(await classified(session, boys.filter(isLeft))).map(({ group }) => group === "boys"),
  ];
  const share = found.filter((isRight) => isRight).length / found.length;
  // Guessing would give 0.5; the standard deviation for 800 names is 0.015.
  expect(share).toBeGreaterThan(0.75);
});

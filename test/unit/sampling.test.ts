import * as ort from "onnxruntime-node";
import { expect, onTestFinished, test, vi } from "vitest";
import type { PlainSampleOptions } from "../../src/protocol";
import type { LayerSpec, ModelChoice } from "../../src/types";
import { WordSet } from "../../worker/data/dataset";
import { randomBits, randomUnit, Stream } from "../../worker/data/random";
import { Chooser } from "../../worker/model/chooser";
import { windowGraph } from "../../worker/onnx/window";
import { sampleSettings, samplingSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { GraphSession } from "../../worker/sampling/runtime";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { LETTERS, namer, randomCheckpoint, vocabularyOf } from "../checkpoint";
import { referenceLogits, windowLogits } from "../onnxRuntime";
import { scoreWords } from "../scores";

async function sample(
  checkpoint: Checkpoint,
  count: number,
  options: PlainSampleOptions = {},
  known: readonly WordSet[] = [],
): Promise<string[]> {
  const inference = new Inference(async () => ort, checkpoint);
  try {
    return await inference.sample(count, sampleSettings(count, { seed: 1, ...options }), { known });
  } finally {
    await inference.dispose();
  }
}

/** The lecture's loop: one word and one window at a time, without shared prefixes. */
async function plainLoop(checkpoint: Checkpoint, count: number, seed: number): Promise<string[]> {
  const { network, parameters, vocabulary } = checkpoint;
  const session = await GraphSession.open(ort, windowGraph(network, parameters));
  const words: string[] = [];
  for (let word = 0; word < count; word++) {
    const ids: number[] = [];
    while (ids.length < 100) {
      const context = [...new Array<number>(network.contextLength).fill(0), ...ids].slice(
        -network.contextLength,
      );
      const { logits } = await session.run({
        context: { data: Int32Array.from(context), dimensions: [1, network.contextLength] },
      });
      // Leave out the boundary at the first character, because a word is not empty.
      const weights = [...(logits ?? [])].map((logit, id) =>
        id === 0 && ids.length === 0 ? 0 : Math.exp(logit),
      );
      let rest =
        randomUnit(randomBits(seed, Stream.sampling, word, ids.length)) * weights.reduce((a, b) => a + b, 0);
      const id = weights.findIndex((weight) => {
        rest -= weight;
        return rest < 0;
      });
      if (id === 0) break;
      ids.push(id);
    }
    words.push(vocabulary.decode(ids));
  }
  await session.release();
  return words;
}

test("the words are those of the plain loop, in the same order, for any count", async () => {
  const checkpoint = namer();
  const words = await plainLoop(checkpoint, 60, 5);
  expect(new Set(words).size).toBeGreaterThan(50);
  for (const count of [60, 1, 7])
    expect(await sample(checkpoint, count, { seed: 5 })).toEqual(words.slice(0, count));
  // More words than are sampled in parallel, so that finished ones are replaced.
  expect((await sample(checkpoint, 3000, { seed: 5 })).slice(0, 60)).toEqual(words);
});

test("earlier calls with any options do not change the words", async () => {
  const checkpoint = namer();
  const inference = new Inference(async () => ort, checkpoint);
  const settings = sampleSettings(50, { seed: 3 });
  const first = await inference.sample(50, settings);
  // Fills the prefix cache more than once.
  await inference.sample(20_000, sampleSettings(20_000, { temperature: 3, minLength: 12 }));
  expect(await inference.sample(50, settings)).toEqual(first);
  expect(await Promise.all([inference.sample(50, settings), inference.sample(50, settings)])).toEqual([
    first,
    first,
  ]);
  await inference.dispose();
});

test("neither a cache that is often full nor calls that end at any step change a word", async () => {
  const checkpoint = namer();
  const plain = sampleSettings(60, { seed: 2, minLength: 8 });
  const fromE = sampleSettings(60, { seed: 2, prefix: "e" });
  const expected = [
    await sample(checkpoint, 60, { seed: 2, minLength: 8 }),
    await sample(checkpoint, 60, { seed: 2, prefix: "e" }),
  ];
  // From memory for one word at a time to memory for about the whole call.
  for (const memory of [0, 20_000, 60_000, 200_000]) {
    const inference = new Inference(async () => ort, checkpoint, memory);
    for (let call = 0; call < 25; call++) {
      let asked = 0;
      // The prefix may be longer than any level's window, so that cached nodes cannot be reached from the root.
      const prefix = "christopher".slice(0, call % 12);
      const settings = sampleSettings(500, { seed: call, prefix, minLength: 12 });
      await inference.sample(500, settings, {}, () => ++asked > 3 * call);
      expect([await inference.sample(60, plain), await inference.sample(60, fromE)]).toEqual(expected);
    }
    await inference.dispose();
  }
});

test("a very large model samples one word at a time", async () => {
  const checkpoint = randomCheckpoint({ contextLength: 64, embedding: 2, hidden: 2 }, vocabularyOf(40_000));
  const words = await sample(checkpoint, 2, { maxLength: 5 });
  expect(words.map((word) => [...word].length)).toEqual([5, 5]);
});

test("a model that is not a chain of blocks samples with its window form", async () => {
  const checkpoint = randomCheckpoint([
    { type: "Embedding", dimensions: 4 },
    { type: "FlattenConsecutive", n: 4 },
    { type: "Tanh" },
    { type: "Linear", fanOut: 8 },
    { type: "Tanh" },
    { type: "BatchNorm1d" },
    { type: "Linear" },
  ]);
  expect(await sample(checkpoint, 20, { seed: 2 })).toEqual(await plainLoop(checkpoint, 20, 2));
});

test.each<[string, number, ModelChoice | LayerSpec[]]>([
  ["two characters", 3, { contextLength: 4, embedding: 3, hidden: 5 }],
  ["too many characters for a table", 300, { contextLength: 4, embedding: 3, hidden: 5 }],
  ["folds of 3 and 2", 27, { contextLength: 6, embedding: 3, hidden: 5, folds: [3, 2] }],
  ["a context of one character", 27, { contextLength: 1, embedding: 3, hidden: 5 }],
  [
    "no levels but the head's",
    27,
    [{ type: "Embedding", dimensions: 3 }, { type: "FlattenConsecutive", n: 3 }, { type: "Linear" }],
  ],
  ["a long context", 27, { contextLength: 64, embedding: 3, hidden: 5 }],
])("the words are the plain loop's for %s", async (_, size, model) => {
  const checkpoint = randomCheckpoint(model, vocabularyOf(size));
  checkpoint.parameters.forEach((values, name) => {
    if (/^linear\d+\.bias$/.test(name)) values[0] = Math.log(size / 6);
  });
  expect(await sample(checkpoint, 25, { seed: 8 })).toEqual(await plainLoop(checkpoint, 25, 8));
});

test("the words have the model's probabilities", async () => {
  const checkpoint = namer();
  const words = await sample(checkpoint, 20_000, { seed: 11, minLength: 0 });
  const [row] = [referenceLogits(checkpoint, [[]])];
  const weights = [...row.subarray(0, 27)].map(Math.exp);
  const total = weights.reduce((a, b) => a + b, 0);
  const counts = new Array<number>(27).fill(0);
  for (const word of words) {
    const id = LETTERS.id(word.charAt(0)) ?? 0;
    counts[id] = (counts[id] ?? 0) + 1;
  }
  const chiSquare = counts.reduce((sum, n, id) => {
    const expected = (words.length * (weights[id] ?? 0)) / total;
    return sum + (n - expected) ** 2 / expected;
  }, 0);
  // 26 degrees of freedom: P(chi-square > 54.05) = 0.001. The seed is fixed, so this is not flaky.
  expect(chiSquare).toBeLessThan(54.05);
});

test("every word begins with the prefix and has an allowed length", async () => {
  const checkpoint = namer();
  const words = await sample(checkpoint, 300, { prefix: "em", minLength: 4, maxLength: 7 });
  for (const word of words) expect(word).toMatch(/^em.{2,5}$/u);
  expect(new Set(words.map((word) => word.length))).toEqual(new Set([4, 5, 6, 7]));
  expect(await sample(checkpoint, 3, { prefix: "emma", maxLength: 4 })).toEqual(["emma", "emma", "emma"]);
  // The prefix is normalised, so both forms of a letter are the same.
  const accented = randomCheckpoint("mlp", vocabularyOf(200));
  expect((await sample(accented, 1, { prefix: "e\u0301a" }))[0]?.startsWith("éa")).toBe(true);
});

test("unique leaves out only repeats", async () => {
  const checkpoint = namer();
  const options = { seed: 4, temperature: 0.3, maxLength: 3 };
  const plain = await sample(checkpoint, 2000, options);
  const distinct = [...new Set(plain)];
  expect(distinct.length).toBeLessThan(1000);
  expect(await sample(checkpoint, distinct.length, { ...options, unique: true })).toEqual(distinct);
});

test("novel leaves out only the words of the sets", async () => {
  const checkpoint = namer();
  const plain = await sample(checkpoint, 400, { seed: 6, maxLength: 2 });
  const listed = [...new Set(plain)].filter((_, i) => i % 2 === 0);
  const stream = Uint8Array.from([0, ...listed.flatMap((word) => [...LETTERS.encode(word), 0])]);
  const expected = plain.filter((word) => !listed.includes(word));
  expect(
    await sample(checkpoint, expected.length, { seed: 6, maxLength: 2, novel: true }, [WordSet.of(stream)]),
  ).toEqual(expected);
});

test("if conditions leave too few words, the error says how many were found", async () => {
  const failure = sample(namer(), 100, { unique: true, maxLength: 1 });
  await expect(failure).rejects.toMatchObject({
    code: "SAMPLING_FAILED",
    message: expect.stringMatching(/only 26 of 100 words .* unique/),
    words: expect.toSatisfy((words: string[]) => new Set(words).size === 26 && words.length === 26),
  });
});

test("a stream has the same words as one call of sample, in growing batches, with any conditions", async () => {
  const checkpoint = namer();
  const listed = WordSet.of(Uint8Array.from([0, ...LETTERS.encode("a"), 0, ...LETTERS.encode("e"), 0]));
  for (const options of [
    { seed: 3, prefix: "e" },
    { seed: 4, maxLength: 3, temperature: 0.5, unique: true, novel: true },
  ]) {
    const known = options.novel ? [listed] : [];
    // Repeat with so little memory that it is often full.
    for (const memory of [undefined, 20_000]) {
      const inference = new Inference(async () => ort, checkpoint, memory);
      const batches: (readonly string[])[] = [];
      const take = async (words: readonly string[]) => void batches.push(words);
      const settings = samplingSettings("words", options);
      await inference.stream(settings, take, { known }, () => batches.length === 6);
      expect(batches.map((words) => words.length)).toEqual([10, 20, 40, 80, 160, 320]);
      expect(batches.flat()).toEqual(await sample(checkpoint, 630, options, known));
      await inference.dispose();
    }
  }
});

test("a stream that finds no more words gives all found words, and then rejects", async () => {
  const inference = new Inference(async () => ort, namer());
  const words: string[] = [];
  const take = async (batch: readonly string[]) => void words.push(...batch);
  const settings = samplingSettings("words", { seed: 1, unique: true, maxLength: 1 });
  const failed = await inference.stream(settings, take, {}, () => false).catch((error) => error);
  expect(failed).toMatchObject({
    code: "SAMPLING_FAILED",
    message: expect.stringMatching(/^words: only 26 words were found.*not unique\. Raise temperature/),
  });
  expect([...words, ...failed.words].sort()).toEqual([...LETTERS.characters]);
  await inference.dispose();
});

test("streams that are not read do not block other calls", async () => {
  const inference = new Inference(async () => ort, namer());
  let go = () => {};
  const read = new Promise<void>((resolve) => {
    go = resolve;
  });
  let waiting = 0;
  const wait = () => {
    waiting++;
    return read;
  };
  let stopped = false;
  const settings = samplingSettings("words", {});
  // More streams than can sample at the same time.
  const streams = Array.from({ length: 20 }, () => inference.stream(settings, wait, {}, () => stopped));
  await vi.waitUntil(() => waiting === 20, 20_000);
  expect(await inference.sample(3, sampleSettings(3, {}))).toHaveLength(3);
  stopped = true;
  go();
  await Promise.all(streams);
  await inference.dispose();
});

test("next gives the probabilities of the exported window form", async () => {
  const checkpoint = namer();
  const { vocabulary } = checkpoint;
  const inference = new Inference(async () => ort, checkpoint);
  // The last prefix is longer than the context.
  for (const prefix of ["", "e", " em", "christopher"]) {
    const ids = vocabulary.encode(prefix.trim());
    const logits = (await windowLogits(checkpoint, [ids])).slice(-vocabulary.size);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const next = await inference.next(prefix);
    expect(next.map(({ character }) => character).sort()).toEqual(["", ...vocabulary.characters]);
    for (const [i, { character, probability }] of next.entries()) {
      const logit = logits[vocabulary.id(character) ?? 0] ?? Number.NaN;
      // Tolerance: float32 logits of two graphs that add in different orders.
      expect(probability).toBeCloseTo(Math.exp(logit) / total, 5);
      expect(probability).toBeLessThanOrEqual(next[i - 1]?.probability ?? 1);
    }
    expect(next.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12);
  }
  await expect(inference.next("emm!")).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(/^next: prefix is "emm!", and the model never saw "!"/),
  });
  await inference.dispose();
});

test.each([
  [{ prefix: "emm!" }, /"!".*abcdefghijklmnopqrstuvwxyz/],
  [{ prefix: "emma", maxLength: 3 }, /longer than maxLength, 3/],
])("the impossible prefix %o is refused", async (options, message) => {
  await expect(sample(namer(), 1, options)).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(message),
  });
});

test("an impossible prefix is refused before ONNX Runtime is loaded", async () => {
  const load = vi.fn(async () => ort);
  const inference = new Inference(load, namer());
  const refused = inference.sample(1, sampleSettings(1, { prefix: "emm!" }));
  await expect(refused).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(load).not.toHaveBeenCalled();
  expect(await inference.sample(1, sampleSettings(1, { prefix: "emm" }))).toHaveLength(1);
  expect(load).toHaveBeenCalled();
  await inference.dispose();
});

test.each([
  ["are not numbers", "linear4.bias", Number.NaN],
  ["are too large to multiply", "linear4.weight", 3e38],
])("a model whose weights %s is neither sampled from nor scored by", async (_, name, value) => {
  const checkpoint = namer();
  checkpoint.parameters.get(name)?.fill(value);
  const inference = new Inference(async () => ort, checkpoint);
  const stream = Uint8Array.from([0, ...LETTERS.encode("emma"), 0]);
  const failures = [
    inference.sample(1, sampleSettings(1, { seed: 1 })),
    scoreWords(inference, LETTERS, ["emma"]),
    inference.evaluate(stream),
  ];
  await Promise.all(
    failures.map((failure) => expect(failure).rejects.toMatchObject({ code: "SAMPLING_FAILED" })),
  );
  await inference.dispose();
});

test("if a graph fails to open, the next call opens it again", async () => {
  const create = vi.spyOn(ort.InferenceSession, "create");
  onTestFinished(() => create.mockRestore());
  for (let i = 0; i < 2; i++) create.mockRejectedValueOnce(new Error("out of memory"));
  const inference = new Inference(async () => ort, namer());
  const settings = sampleSettings(1, { seed: 1 });
  await expect(inference.sample(1, settings)).rejects.toThrow("out of memory");
  await expect(scoreWords(inference, LETTERS, ["emma"])).rejects.toThrow("out of memory");
  expect(await inference.sample(1, settings)).toHaveLength(1);
  expect(await scoreWords(inference, LETTERS, ["emma"])).toHaveLength(1);
  await inference.dispose();
});

test("temperature, topK and topP favour the likeliest characters", () => {
  const logits = Float32Array.from([99, 99, ...[0.4, 0.05, 0.3, 0.25].map(Math.log)]);
  const options = { temperature: 1, topK: 65_535, topP: 1 };
  const shares = (changes: Partial<typeof options>, mayEnd = true) => {
    const chooser = new Chooser(4, { ...options, ...changes });
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const id = chooser.choose(logits, 2, (i + 0.5) / 1000, mayEnd);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  };
  expect(shares({})).toEqual([400, 50, 300, 250]);
  expect(shares({}, false)).toEqual([0, 83, 500, 417]);
  expect(shares({ topK: 1 })).toEqual([1000, 0, 0, 0]);
  expect(shares({ topK: 2 })).toEqual([571, 0, 429, 0]);
  expect(shares({ topP: 0.69 })).toEqual([571, 0, 429, 0]);
  expect(shares({ topP: 0.71 })).toEqual([421, 0, 316, 263]);
  expect(shares({ topP: 1e-9 })).toEqual([1000, 0, 0, 0]);
  // Temperature 0.5 squares the probabilities: 0.16, 0.0025, 0.09, 0.0625 of their sum, 0.315.
  expect(shares({ temperature: 0.5 })).toEqual([508, 8, 286, 198]);
  expect(shares({ temperature: 1e-9 })).toEqual([1000, 0, 0, 0]);
});

test("a stopped call ends soon with the words found so far", async () => {
  const inference = new Inference(async () => ort, namer());
  let asked = 0;
  const words = await inference.sample(
    1_000_000,
    sampleSettings(1_000_000, { seed: 1 }),
    {},
    () => ++asked > 20,
  );
  expect(asked).toBe(21);
  expect(words.length).toBeLessThan(100_000);
  await inference.dispose();
});

test("short calls end before a long one that runs meanwhile, stopped or not", async () => {
  const inference = new Inference(async () => ort, namer());
  const ended: string[] = [];
  const call = (name: string, count: number, stopped = () => false) =>
    inference.sample(count, sampleSettings(count, { seed: 1 }), {}, stopped).then((words) => {
      ended.push(name);
      return words.length;
    });
  let stop = false;
  const calls = [call("long", 60_000), call("stopped", 10, () => stop), call("next", 10)];
  setTimeout(() => {
    stop = true;
  });
  expect(await Promise.all(calls)).toEqual([60_000, 0, 10]);
  expect(new Set(ended.slice(0, 2))).toEqual(new Set(["stopped", "next"]));
  await inference.dispose();
});

test("the event loop keeps running while words are sampled and scored", async () => {
  const inference = new Inference(async () => ort, namer());
  const words = Array.from({ length: 20_000 }, (_, i) => `a${i.toString(26).replace(/\d/g, "z")}`);
  for (const work of [
    () => inference.sample(50_000, sampleSettings(50_000, { seed: 1 })),
    () => scoreWords(inference, LETTERS, words),
  ]) {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await work();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  }
  await inference.dispose();
});

test("dispose waits for running calls", async () => {
  const inference = new Inference(async () => ort, namer());
  const calls = [
    inference.sample(100, sampleSettings(100, { seed: 1 })),
    scoreWords(inference, LETTERS, ["emma"]),
  ];
  await inference.dispose();
  const [words] = await Promise.all(calls);
  expect(words).toHaveLength(100);
  await inference.dispose();
});

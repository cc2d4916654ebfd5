/** The models that read words in the built package: training, samples, files, storage. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Makemore, ModelChoice, TrainOptions } from "../../src";
import { type BuiltSite, openSite, runInPage } from "./builtSite";

const words = readFileSync(new URL("../../demo/words/names.txt", import.meta.url), "utf8")
  .split("\n")
  .slice(0, 200);
const script = `
  const failure = (promise) => promise.then(() => "it did not fail", ({ code, message }) => code + ": " + message);
  const mm = new Makemore({ backend: "wasm" });
  Object.assign(globalThis, { Makemore, mm, loaded: new Makemore({ backend: "wasm" }), failure });
`;

interface Globals {
  Makemore: typeof Makemore;
  /** Trains. */
  mm: Makemore;
  /** Loads its models from files. */
  loaded: Makemore;
  words: string[];
  model: ModelChoice;
  options: TrainOptions;
  failure(promise: Promise<unknown>): Promise<string>;
}

let site: BuiltSite;
let page: Page;

beforeAll(async () => {
  site = await openSite(script);
  page = await site.open();
});
afterAll(() => site?.close());

async function inPage<T>(given: Partial<Globals>, run: (globals: Globals) => Promise<T>): Promise<T> {
  await page.evaluate((values) => Object.assign(globalThis, values), { words, ...given });
  return runInPage(page, run);
}

const models: readonly ModelChoice[] = [
  { type: "bigram" },
  { type: "bow", embedding: 8, hidden: 10 },
  { type: "rnn", embedding: 8, hidden: 12 },
  { type: "gru", embedding: 8, hidden: 12 },
  { type: "lstm", embedding: 8, hidden: 12 },
  { type: "transformer", layers: 2, heads: 2, embedding: 12, hidden: 20 },
  { type: "microgpt" },
];

test.each(models)(
  "trains, samples, and resumes from a file and from storage like an unbroken training: %j",
  async (model) => {
    const got = await inPage({ model }, async ({ Makemore, mm, loaded, words, model }) => {
      const bytesOf = async (of: Makemore) => {
        const bytes = new Uint8Array(await of.exportONNX());
        return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join();
      };
      const ask = async (of: Makemore) => ({
        samples: await of.sample(20, { seed: 4 }),
        scores: await of.score(["emma", "a"]),
        losses: await of.evaluate(),
        next: await of.next("em"),
      });
      // No teacher for the Transformer: it fades over the steps of a training, and here these are 6 or 16.
      const options = {
        model,
        learningRate: 1e-3,
        optimizer: "adamw",
        keepBest: false,
        teacher: "none",
      } as const;
      const { losses: unbroken, backend } = await mm.train(words, { ...options, steps: 16 });
      const end = await bytesOf(mm);

      await mm.train(words, { ...options, steps: 6 });
      const answers = await ask(mm);
      const file = await mm.exportONNX();
      await mm.save("family");

      await loaded.load(file, { words });
      const fromFile = await ask(loaded);
      const { losses: rest } = await loaded.resume({ steps: 16 });
      const resumed = await bytesOf(loaded);
      await loaded.load(await mm.exportONNX({ form: "incremental", trainingState: false }));
      const fromSteps = await loaded.sample(20, { seed: 4 });

      const opened = await Makemore.open("family", { backend: "wasm" });
      const { losses: restOfOpened } = await opened.resume({ steps: 16 });
      const stored = await bytesOf(opened);
      opened.dispose();
      return {
        backend,
        unbroken: [...unbroken],
        rest: [...rest],
        restOfOpened: [...restOfOpened],
        ends: [resumed === end, stored === end],
        answers,
        fromFile,
        fromSteps,
      };
    });
    expect(got.backend).toBe("wasm");
    expect(got.unbroken).toHaveLength(16);
    const { answers } = got;
    expect(got.fromFile).toEqual(answers);
    expect(got.fromSteps).toEqual(answers.samples);
    expect(got.rest).toEqual(got.unbroken.slice(6));
    expect(got.restOfOpened).toEqual(got.unbroken.slice(6));
    expect(got.ends).toEqual([true, true]);
    // The answers of the calls agree with each other.
    expect(answers.samples).toHaveLength(20);
    const [emma, a] = answers.scores;
    expect(emma?.surprises.map(({ character }) => character)).toEqual(["e", "m", "m", "a", ""]);
    expect(a?.surprises).toHaveLength(2);
    const m = answers.next.find(({ character }) => character === "m");
    expect(m?.probability).toBeCloseTo(Math.exp(-(emma?.surprises[2]?.surprise ?? Number.NaN)), 5);
    for (const loss of [answers.losses.train, answers.losses.validation, answers.losses.test])
      expect(loss).toBeGreaterThan(1);
  },
);

test.each<[TrainOptions, RegExp]>([
  [
    { model: { type: "transformer", heads: 3 } },
    /^INVALID_MODEL: .*3 heads for 64 channels; heads must divide the channels/,
  ],
  [
    { model: { type: "microgpt", contextLength: 5 } },
    /^INVALID_MODEL: train: the model's context length is 5, and the word ".+" has \d+ characters; it must be at least \d+, one more than the longest word\.$/,
  ],
  [
    { model: { type: "bigram", hidden: 3 } as never },
    /^INVALID_OPTION: train: there is no option "model\.hidden"\.$/,
  ],
  [
    { model: { type: "gru", heads: 2 } as never },
    /^INVALID_OPTION: train: there is no option "model\.heads"\.$/,
  ],
  [
    { model: "lstm", recipe: "lecture" },
    /^INVALID_OPTION: train: recipe is "lecture", which is for models that read contexts; this one reads words/,
  ],
  [
    { model: "rnn", teacher: "ngram", targets: "hard" },
    /^INVALID_OPTION: train: targets is "hard"; it must be "soft", because teacher is "ngram"/,
  ],
])("%j is refused, and the model stays as it was", async (options, message) => {
  const got = await inPage({ options }, async ({ mm, words, options, failure }) => {
    await mm.train(words, { model: "bigram", steps: 2 });
    const before = { model: mm.model, samples: await mm.sample(5, { seed: 1 }) };
    const refused = await failure(mm.train(words, options));
    return { refused, before, after: { model: mm.model, samples: await mm.sample(5, { seed: 1 }) } };
  });
  expect(got.refused).toMatch(message);
  expect(got.after).toEqual(got.before);
});

test("score refuses a word that is too long for the model, and exportONNX refuses the window form", async () => {
  const got = await inPage({}, async ({ mm, words, failure }) => {
    await mm.train(words, { model: { type: "gru", embedding: 4, hidden: 4 }, steps: 2 });
    await mm.train(words, { model: { type: "microgpt", contextLength: 16 }, steps: 2 });
    return [
      await failure(mm.score(["emma", "maximilianalexander"])),
      await failure(mm.sample(1, { prefix: "maximilianalexander" })),
      await failure(mm.exportONNX({ form: "window" })),
    ];
  });
  expect(got).toEqual([
    expect.stringMatching(/^INVALID_WORDS: .*maximilianalexander.*at most 15/),
    expect.stringMatching(/^INVALID_OPTION: .*maximilianalexander.*at most 15/),
    expect.stringMatching(/^INVALID_MODEL: .*"sequence" or "incremental"/),
  ]);
});

test("webgpu trains with tfjs on the GPU, on wasm's minibatches, and `device` says so", async () => {
  const got = await inPage({}, async ({ Makemore, mm, words }) => {
    const options = {
      model: { type: "gru", embedding: 4, hidden: 5 },
      steps: 3,
      batchSize: 4,
      learningRate: 0.01,
    } as const;
    const devices = new Set<string>();
    const gpu = new Makemore({ backend: "webgpu" });
    const { backend, device, notices, losses } = await gpu.train(words, {
      ...options,
      onProgress: (progress) => devices.add(progress.device),
    });
    gpu.dispose();
    const { losses: expected } = await mm.train(words, options);
    return { backend, device, devices: [...devices], notices, losses: [...losses], expected: [...expected] };
  });
  expect(got).toMatchObject({ backend: "webgpu", device: expect.stringMatching(/swiftshader.* \(tfjs\)$/i) });
  expect(got.devices).toEqual([got.device]);
  expect(got.notices).toEqual([]);
  expect(got.losses).toHaveLength(3);
  // Tolerance: both sum the same numbers in different orders.
  for (const [i, loss] of got.losses.entries())
    expect(Math.abs(loss - (got.expected[i] ?? Number.NaN))).toBeLessThan(1e-4);
});

test("auto measures both, says so, and never takes a software adapter", async () => {
  const got = await inPage({}, async ({ Makemore, words }) => {
    const auto = new Makemore();
    const { backend, measured } = await auto.train(words, { model: "rnn", steps: 3 });
    auto.dispose();
    return { backend, measured };
  });
  expect(got.backend).toBe("wasm");
  expect(got.measured).toEqual([
    { backend: "wasm", device: expect.stringMatching(/simd/), msPerStep: expect.any(Number) },
    {
      backend: "webgpu",
      device: expect.stringMatching(/swiftshader/i),
      skipped: expect.stringMatching(/software/),
    },
  ]);
});

/** Whole trainings of models that read words, in Node. */
import { releaseProxy } from "comlink";
import { expect, test, vi } from "vitest";
import type { Outcome, PlainTrainOptions, TrainEvent } from "../../src/protocol";
import type { ModelChoice, TrainResult, WordGroups, Words } from "../../src/types";
import { Session } from "../../worker/session";
import { prepareTrain } from "../../worker/session/prepare";
import { type Family, families } from "../families";
import { sentByPage, sentWords } from "../sentWords";

vi.mock("../../worker/assets", async () => {
  const { createTfjsEngine } = await import("../../worker/engines/tfjs");
  const { createTfjsPredictor } = await import("../../worker/engines/tfjs/predictor");
  const { createWasmEngine } = await import("../../worker/engines/wasm");
  const refuse = async () => {
    throw new Error("This test has only wasm and tfjs.");
  };
  return {
    engines: {
      wasm: createWasmEngine,
      webgpu: refuse,
      tfjs: (setup: Parameters<typeof createTfjsEngine>[0]) => createTfjsEngine(setup, { backend: "cpu" }),
    },
    openPredictor: (network: Parameters<typeof createTfjsPredictor>[0], most: number) =>
      createTfjsPredictor(network, most, { backend: "cpu" }),
    loadONNXRuntime: refuse,
    setFiles: () => {},
  };
});

const words = [
  "emma",
  "olivia",
  "ava",
  "isabella",
  "sophia",
  "mia",
  "amelia",
  "ella",
  "anna",
  "ada",
  "eve",
  "lea",
];

const onEvent = () => Object.assign((_: TrainEvent) => {}, { [releaseProxy]: () => {} });

function train(session: Session, options: PlainTrainOptions, list: readonly string[] = words) {
  return session.train(1, options, sentWords(list.join("\n")), onEvent());
}

async function value(outcome: Promise<Outcome<TrainResult>>): Promise<TrainResult> {
  const result = await outcome;
  if ("error" in result) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}

/** Small models, because tfjs in plain JavaScript samples 1,000 words with each. */
const small: Readonly<Record<Family, ModelChoice>> = {
  bigram: "bigram",
  bow: { type: "bow", embedding: 6, hidden: 5 },
  rnn: { type: "rnn", embedding: 6, hidden: 5 },
  gru: { type: "gru", embedding: 6, hidden: 5 },
  lstm: { type: "lstm", embedding: 6, hidden: 5 },
  transformer: { type: "transformer", layers: 1, heads: 2, embedding: 6 },
  microgpt: { type: "microgpt", heads: 2, embedding: 6 },
};

test.each(families)("%s trains on wasm, and repeats bit for bit", async (family) => {
  const options: PlainTrainOptions = { model: small[family], steps: 40, batchSize: 32, seed: 7 };
  const result = await value(train(new Session(), options));
  expect(result).toMatchObject({ step: 40, backend: "wasm" });
  const [first = Number.NaN] = result.losses;
  expect(result.losses.at(-1)).toBeLessThan(first);
  expect(result.kept?.validation).toBeGreaterThan(0);
  const again = await value(train(new Session(), { ...options, keepBest: false }));
  expect(again.losses).toEqual(result.losses);
});

/** Models whose loss before the first step is far above that of guessing, ln(13) = 2.6. */
const worseThanGuessing: Readonly<Record<string, ModelChoice>> = {
  "a bag of words": { type: "bow", embedding: 16, hidden: 16 },
  "a decoder with a large head": [
    { type: "Embedding", dimensions: 16 },
    { type: "CausalMean" },
    { type: "Linear", std: 1 },
  ],
  "windows with a large head": [
    { type: "Embedding", dimensions: 16 },
    { type: "FlattenConsecutive", n: 2 },
    { type: "FlattenConsecutive", n: 2 },
    { type: "Linear", std: 1 },
  ],
};

test.each(Object.entries(worseThanGuessing))(
  "a short training of %s may end with a bad loss, but one that explodes is DIVERGED",
  async (_, model) => {
    const session = new Session();
    const options: PlainTrainOptions = { model, steps: 4, batchSize: 32, keepBest: false, seed: 3 };
    const { losses } = await value(train(session, { ...options, learningRate: 1e-4 }));
    expect(Math.min(...losses)).toBeGreaterThan(Math.log(13) + 1);
    // Still as bad as at the beginning, but the loss did not rise, so resume goes on.
    expect(await value(session.resume(2, { steps: 8 }, undefined, onEvent()))).toMatchObject({ step: 8 });
    await expect(value(train(session, { ...options, learningRate: 10 }))).rejects.toThrow(
      /DIVERGED: The loss ended at \d+\.\d, and guessing at random has 2\.6: learningRate is too high/,
    );
    // An exploded loss does not count as the beginning.
    await expect(
      value(session.resume(3, { steps: 5, learningRate: 1e-4 }, undefined, onEvent())),
    ).rejects.toThrow(/DIVERGED/);
  },
);

test("the context length is the length of the longest word plus its boundary", async () => {
  const { model } = await value(train(new Session(), { model: small.microgpt, steps: 1, batchSize: 128 }));
  expect(model.contextLength).toBe("isabella".length + 1);
  expect(model.layers.map(({ name }) => name)).toContain("positionEmbedding");
});

test("the Transformer has a teacher by default, unless it would need too much memory or mix groups", async () => {
  const teacher = async (options: PlainTrainOptions, list: Words | WordGroups) => {
    const { signal } = new AbortController();
    const start = await prepareTrain(options, sentByPage(list), signal, () => {});
    return start.checkpoint.recipe.teacher;
  };
  const model = small.transformer;
  const groups = { first: words.slice(5), second: words.slice(0, 5) };
  const character = (i: number) => String.fromCodePoint(0x4e00 + (i % 4000));
  // 7,200 words train. Their 21,600 characters and ends, times 4,001 possible characters, times 4 bytes, are 346 MB.
  const large = Array.from({ length: 9000 }, (_, i) => character(i) + character(7 * i));
  expect(await teacher({ model }, words)).toBe("ngram");
  expect(await teacher({ model }, large)).toBe("none");
  expect(await teacher({ model }, groups)).toBe("none");
  expect(await teacher({ model, teacher: "ngram" }, groups)).toBe("ngram");
  // The model of windows loses its teacher's share by the end of the training.
  expect(await teacher({ recipe: "best" }, groups)).toBe("ngram");
});

test.each<[PlainTrainOptions, readonly string[], RegExp]>([
  [
    { model: { type: "transformer", contextLength: 8 } },
    words,
    /INVALID_MODEL: train: the model's context length is 8, and the word "isabella" has 8 characters; it must be at least 9/,
  ],
  [
    { model: "gru" },
    [...words, "ab".repeat(128)],
    /INVALID_MODEL: train: the model's context length is 256, and the word "(ab)+…" has 256 characters; leave out words of more than 255/,
  ],
  [{ model: { type: "microgpt", heads: 3 } }, words, /INVALID_MODEL: .*3 heads for 16 channels/],
  [{ model: { embedding: 4096, hidden: 4096 } }, words, /INVALID_MODEL: train: .* at most 50000000/],
  [{ model: "mlp", batchSize: 1 }, words, /INVALID_OPTION: train: batchSize is 1, .* one row/],
  [{ model: { type: "lstm", layers: 2 } as never }, words, /INVALID_OPTION: .*no option "model.layers"/],
])("%j is refused before anything changes", async (options, list, message) => {
  const session = new Session();
  const { model } = await value(train(session, { model: "bigram", steps: 1, batchSize: 128 }));
  await expect(value(train(session, options, list))).rejects.toThrow(message);
  // The model that was there before can be resumed.
  const resumed = await value(session.resume(2, { steps: 3 }, undefined, onEvent()));
  expect(resumed).toMatchObject({ step: 3, model: { parameters: model.parameters } });
});

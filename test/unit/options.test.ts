import { expect, test } from "vitest";
import { architecture } from "../../worker/model/architectures";
import { checkTrainable } from "../../worker/model/limits";
import { buildNetwork, parameterCount } from "../../worker/model/network";
import {
  checkMakemoreOptions,
  checkTrainOptions,
  exportSettings,
  resumeSettings,
  sampleSettings,
} from "../../worker/options";
import { learningRate } from "../../worker/training/schedule";
import pytorchSchedule from "../fixtures/pytorch-schedule.json";
import { makemoreError } from "../makemoreError";

type RecipeOfPyTorch = keyof typeof pytorchSchedule;

/** Returns PyTorch's numbers of a recipe, under this package's names. */
function fromPyTorch(name: RecipeOfPyTorch) {
  const { steps, batch, order, targets, optimizer } = pytorchSchedule[name];
  if (!("betas" in optimizer)) return { steps, batchSize: batch, order, targets, optimizer: { type: "sgd" } };
  const { betas, eps: epsilon, weight_decay: weightDecay } = optimizer;
  const [beta1, beta2] = betas;
  return {
    steps,
    batchSize: batch,
    order,
    targets,
    optimizer: { type: "adamw", beta1, beta2, epsilon, weightDecay },
  };
}

test.each(["default", "thorough", "lecture"] as const)(
  "the recipe and its learning rates are PyTorch's: %s",
  (recipe) => {
    const settings = checkTrainOptions({ recipe })();
    expect(settings).toMatchObject(fromPyTorch(recipe));
    const { steps, rates } = pytorchSchedule[recipe];
    // PyTorch computes each rate from the one before, and rounds each time.
    for (const [step = Number.NaN, expected = Number.NaN] of rates)
      expect(learningRate(settings.learningRate, step, steps) / expected, `step ${step}`).toBeCloseTo(1, 9);
  },
);

test("the default is PyTorch's best short recipe, with the lecture's model and split", () => {
  const { learningRate: _, ...settings } = checkTrainOptions({})();
  const reference = fromPyTorch("default");
  expect(settings).toEqual({
    ...reference,
    model: "wavenet",
    teacher: "none",
    // The notebook has `random.seed(42)`, `random.shuffle(words)`, and 80, 10 and 10 %.
    seed: 42,
    shuffle: true,
    split: [0.8, 0.1, 0.1],
    keepBest: true,
    patience: reference.steps / 2,
    evalEvery: 0,
    sampleEvery: 0,
    diagnostics: false,
    prefetch: false,
  });
  expect(checkTrainOptions({})().learningRate).toEqual(
    checkTrainOptions({ recipe: "default" })().learningRate,
  );
  // The number that the notebook prints.
  expect(parameterCount(buildNetwork(architecture(settings.model), 27).parameters)).toBe(76_579);
});

test("a short list gets fewer steps, a smaller model and more weight decay", () => {
  const { model, steps, batchSize, optimizer } = checkTrainOptions({})(182_625);
  expect({ model, steps, batchSize }).toEqual({ model: "wavenet", steps: 3400, batchSize: 128 });
  expect(optimizer).toMatchObject({ beta1: 0.8, beta2: 0.99 });
  expect(checkTrainOptions({})(10 ** 9)).toMatchObject({ model: "wavenet", steps: 3400 });
  const sizes = [4, 25, 160, 1600, 5500, 17_000, 57_000, 182_625];
  const all = sizes.map((examples) => checkTrainOptions({})(examples));
  const parameters = all.map(({ model }) => parameterCount(buildNetwork(architecture(model), 27).parameters));
  const decay = all.map(({ optimizer }) => (optimizer.type === "adamw" ? optimizer.weightDecay : Number.NaN));
  const ascends = (values: number[]) => expect(values).toEqual([...values].sort((a, b) => a - b));
  ascends(all.map(({ steps, batchSize }) => steps * batchSize));
  ascends(parameters);
  ascends(decay.reverse());
  expect(parameters[0]).toBeLessThan(15_000);
  // Rounded up from (3000 / 182,625)^1.4.
  expect(decay[0]).toBeCloseTo(0.003, 3);
  expect(decay.at(-1)).toBe(4);
});

test("a given option takes precedence over steps: auto", () => {
  const short = checkTrainOptions({})(1000);
  expect(checkTrainOptions({ steps: "auto" })(1000)).toEqual(short);
  expect(short).toMatchObject({ keepBest: true, patience: Math.ceil(short.steps / 2) });
  const { batchSize } = short;
  expect(checkTrainOptions({ batchSize: 2 * batchSize })(1000).steps).toBe(Math.ceil(short.steps / 2));
  expect(checkTrainOptions({ steps: 77 })(1000)).toMatchObject({ steps: 77, patience: 0, keepBest: true });
  for (const given of [
    { model: "mlp" },
    { patience: 5 },
    { keepBest: false },
    { optimizer: { type: "adamw", beta1: 0.5, beta2: 0.6, epsilon: 0.1, weightDecay: 0.7 } },
  ] as const)
    expect(checkTrainOptions(given)(1000)).toEqual({ ...short, ...given });
  // More steps than the list needs get more weight decay. Fewer steps and other recipes keep theirs.
  const decay = (options: object, examples?: number) => {
    const { optimizer } = checkTrainOptions(options)(examples);
    return optimizer.type === "adamw" ? optimizer.weightDecay : Number.NaN;
  };
  expect(decay({ steps: 6800 })).toBeCloseTo(4 * decay({}), 12);
  expect(decay({ steps: 10_000_000 })).toBe(0.1);
  expect(decay({ steps: 100 })).toBe(decay({}));
  expect(decay({ steps: 10_000 }, 1000)).toBe(decay({}, 1000));
  expect(decay({ recipe: "thorough", steps: 50_000 })).toBe(decay({ recipe: "thorough" }));
  expect(checkTrainOptions({ recipe: "lecture" })()).toMatchObject({ keepBest: false, patience: 0 });
  expect(checkTrainOptions({ recipe: "lecture", steps: "auto" })()).toMatchObject({
    steps: 200_000,
    keepBest: true,
    patience: 100_000,
  });
});

test("any option takes precedence over the lecture's recipe", () => {
  expect(checkTrainOptions({ recipe: "lecture", batchSize: 100 })()).toMatchObject({
    steps: 200_000,
    batchSize: 100,
    learningRate: { peak: 0.1, decay: "step", final: 0.01, at: 0.75 },
    optimizer: { type: "sgd" },
    order: "random",
    targets: "hard",
    teacher: "none",
  });
});

const families = ["bigram", "bow", "rnn", "gru", "lstm", "transformer", "microgpt"] as const;

test.each([...families, "mlp", "wavenet"] as const)(
  "makemore.py's recipe trains every model: %s",
  (model) => {
    // makemore.py's --learning-rate, --weight-decay, --batch-size, and the betas of its AdamW.
    expect(checkTrainOptions({ recipe: "makemore", model })(1000)).toMatchObject({
      model,
      steps: 10_000,
      batchSize: 32,
      learningRate: { peak: 5e-4, decay: "constant", warmup: 0 },
      optimizer: { type: "adamw", beta1: 0.9, beta2: 0.99, weightDecay: 0.01 },
      order: "random",
      targets: "hard",
      keepBest: true,
      patience: 0,
    });
  },
);

test("microGPT's recipe: Adam, one word per step, and a rate that falls linearly to 0 in 1,000 steps", () => {
  const { learningRate: schedule, ...settings } = checkTrainOptions({ recipe: "microgpt" })();
  expect(settings).toMatchObject({
    model: "microgpt",
    steps: 1000,
    batchSize: 1,
    // Adam is AdamW without decay.
    optimizer: { type: "adamw", beta1: 0.85, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
    order: "random",
    targets: "hard",
    keepBest: false,
  });
  // microGPT's formula: 0.01 * (1 - step / steps).
  for (const step of [0, 1, 500, 999])
    expect(learningRate(schedule, step, 1000)).toBeCloseTo(0.01 * (1 - step / 1000), 12);
});

test.each(families)("a model that reads words has its own default recipe: %s", (model) => {
  const long = checkTrainOptions({ model })();
  expect(long).toMatchObject({ model, batchSize: 32, order: "even", targets: "soft", keepBest: true });
  expect(long.learningRate).toMatchObject({ decay: "linear", final: 0 });
  expect(long.learningRate.warmup).toBeGreaterThan(0);
  const short = checkTrainOptions({ model })(5000);
  expect(short.model).toBe(model);
  expect(short.steps).toBeLessThan(long.steps);
  const decay = ({ optimizer }: typeof long) =>
    optimizer.type === "adamw" ? optimizer.weightDecay : Number.NaN;
  expect(decay(short)).toBeGreaterThan(decay(long));
  // A given option takes precedence, and a given batch size keeps the total number of words.
  expect(checkTrainOptions({ model, batchSize: 64 })().steps).toBe(long.steps / 2);
  expect(checkTrainOptions({ model, targets: "hard", order: "random", steps: 5 })()).toMatchObject({
    targets: "hard",
    order: "random",
    steps: 5,
  });
});

test("sizes and layers that read words get the recipes for words", () => {
  const layers = [
    { type: "Embedding", dimensions: 4 },
    { type: "GRU", hidden: 4 },
    { type: "Linear" },
  ] as const;
  for (const model of [{ type: "gru", hidden: 8 }, layers] as const)
    expect(checkTrainOptions({ model })()).toMatchObject({ model, batchSize: 32, order: "even" });
  expect(checkTrainOptions({ model: { type: "bigram" } })().steps).toBe(
    checkTrainOptions({ model: "bigram" })().steps,
  );
});

test.each([
  [
    { model: "gru", recipe: "lecture" },
    'train: recipe is "lecture", which is for models that read contexts; this one reads words, and takes one of "default", "makemore", "microgpt".',
  ],
  [{ model: { type: "rnn" }, recipe: "best" }, /recipe is "best", which is for models that read contexts/],
  [
    { model: "wavenet", recipe: "microgpt" },
    'train: recipe is "microgpt", which is for models that read words; this one reads contexts, and takes one of "default", "thorough", "best", "lecture", "makemore".',
  ],
] as const)("recipes and models that do not fit are refused: %j", (options, message) => {
  expect(() => checkTrainOptions(options)).toThrow(makemoreError("INVALID_OPTION", message));
});

test("another optimiser has its own rate, and hard targets have no teacher", () => {
  expect(checkTrainOptions({ optimizer: "sgd" })().learningRate.peak).toBe(0.1);
  expect(checkTrainOptions({ recipe: "lecture", optimizer: "adamw" })().learningRate.peak).toBe(2e-3);
  expect(checkTrainOptions({ recipe: "best" })().teacher).toBe("ngram");
  expect(checkTrainOptions({ recipe: "best", targets: "hard" })().teacher).toBe("none");
  expect(() => checkTrainOptions({ targets: "hard", teacher: "ngram" })()).toThrow(
    makemoreError("INVALID_OPTION", /targets is "hard".*"soft"/),
  );
});

test.each([
  [{ steps: 0 }, "train: steps is 0; it must be a whole number from 1 to 10000000."],
  [{ steps: 1.5 }, "train: steps is 1.5; it must be a whole number from 1 to 10000000."],
  [{ steps: Number.NaN }, "train: steps is NaN; it must be a whole number from 1 to 10000000."],
  [{ steps: "100" }, 'train: steps is "100"; it must be a whole number from 1 to 10000000.'],
  [{ batchSize: -1 }, "train: batchSize is -1; it must be a whole number from 1 to 4096."],
  [{ batchSize: 1e9 }, "train: batchSize is 1000000000; it must be a whole number from 1 to 4096."],
  [{ learningRate: 0 }, "train: learningRate is 0; it must be a number above 0 to 1000."],
  [{ learningRate: { peak: -1 } }, "train: learningRate.peak is -1; it must be a number above 0 to 1000."],
  [
    { learningRate: { peak: 1, final: 0.5 } },
    'train: learningRate.final is 0.5, which has no effect with decay "constant"; leave it out, or take decay "linear" or "cosine" or "step".',
  ],
  [{ learningRate: { peak: 1, decay: "step", hold: 0.5 } }, /learningRate.hold is 0.5, .* decay "step"/],
  [{ learningRate: { peak: 1, decay: "linear", at: 0.5 } }, /learningRate.at is 0.5, .* take decay "step"\./],
  [
    { patience: 5, keepBest: false },
    "train: patience is 5, but no validation loss is watched; give keepBest: true.",
  ],
  [{ patience: 5, recipe: "lecture" }, /train: patience is 5, .* give keepBest: true\./],
  [{ patience: 5, split: [1, 0, 0] }, /train: patience is 5, .* give validation a share of split\./],
  [{ optimizer: "adam" }, /train: optimizer is "adam"; it must be "adamw" or .*"sgd"\./],
  [{ seed: -1 }, "train: seed is -1; it must be a whole number from 0 to 4294967295."],
  [{ seed: true }, "train: seed is true; it must be a whole number or a string."],
  [
    { split: [0.5, 0.1, 0.1] },
    "train: split is [0.5,0.1,0.1]; it must be three shares that add up to 1, the first above 0.",
  ],
  [
    { model: "gpt" },
    /train: model is "gpt"; it must be "wavenet", "transformer", .*, "bigram", sizes, or a list of layers\./,
  ],
  [{ model: { hidden: 0 } }, "train: model.hidden is 0; it must be a whole number from 1 to 4096."],
  [{ model: { hiden: 3 } }, 'train: there is no option "model.hiden".'],
  [
    { model: { type: "gpt" } },
    /train: model.type is "gpt"; it must be "wavenet" or "transformer" or .*"bigram"\./,
  ],
  [{ model: { type: "mlp", folds: [3] } }, 'train: there is no option "model.folds".'],
  [
    { model: { type: "mlp", embedding: 0 } },
    "train: model.embedding is 0; it must be a whole number from 1 to 4096.",
  ],
  [{ model: [{ type: "Embedding" }] }, "train: model.0.dimensions is missing."],
  [{ model: [{ type: "FlattenConsecutive" }] }, "train: model.0.n is missing."],
  [{ learningRate: {} }, "train: learningRate.peak is missing."],
  [{ split: 0.8 }, "train: split is 0.8; it must be three shares that add up to 1, the first above 0."],
  [{ model: [{ type: "Softmax" }] }, /train: model.0.type is "Softmax"; it must be a layer such as/],
  [{ stepz: 3 }, /train: there is no option "stepz"; there are model, recipe, steps.*, onProgress, signal\./],
  [null, "train: the options are null; they must be an object."],
])("train options %j are refused", (options, message) => {
  expect(() => checkTrainOptions(options as never)()).toThrow(makemoreError("INVALID_OPTION", message));
});

test.each([
  [10, { temperature: 0 }, /temperature is 0/],
  [10, { topP: 1.5 }, /topP is 1.5/],
  [10, { topK: 0 }, /topK is 0/],
  [10, { minLength: 9, maxLength: 3 }, /minLength is 9; it must be at most maxLength, 3/],
  [10, { prefix: 3 }, /prefix is 3; it must be a string/],
  [10, { novell: true }, /there is no option "novell"; there are temperature/],
  [-1, {}, /count is -1/],
  [Number.POSITIVE_INFINITY, {}, /count is Infinity/],
])("sample(%d, %j) is refused", (count, options, message) => {
  expect(() => sampleSettings(count, options as never)).toThrow(makemoreError("INVALID_OPTION", message));
});

test("other options are checked too", () => {
  expect(() => exportSettings({ form: "tree" as never })).toThrow(
    makemoreError("INVALID_OPTION", /form is "tree"; it must be "window" or/),
  );
  expect(() => resumeSettings({ steps: -3 })).toThrow(makemoreError("INVALID_OPTION", /resume: steps is -3/));
  expect(() => resumeSettings({ learningRate: { peak: 1, final: 0 } })).toThrow(
    makemoreError("INVALID_OPTION", /resume: learningRate.final/),
  );
  expect(() => checkMakemoreOptions({ backend: "cuda" as never })).toThrow(
    makemoreError("INVALID_OPTION", /backend is "cuda"/),
  );
  expect(() => checkMakemoreOptions({ worker: "x" } as never)).toThrow(
    makemoreError("INVALID_OPTION", /no option "worker"/),
  );
});

test("a seed that is a string becomes a number, which files contain", () => {
  expect(checkTrainOptions({ seed: "foobar" })().seed).toBe(0xbf9cf968);
  expect(sampleSettings(1, { seed: "foobar" }).seed).toBe(0xbf9cf968);
  expect(() => sampleSettings(1, { seed: 0.5 })).toThrow(
    makemoreError("INVALID_OPTION", "sample: seed is 0.5; it must be a whole number"),
  );
});

test("an option that is undefined counts as not given", () => {
  const none = undefined;
  expect(checkTrainOptions({ optimizer: { type: "adamw", beta1: none } as never })().optimizer).toEqual(
    checkTrainOptions({ optimizer: "adamw" })().optimizer,
  );
  expect(architecture({ hidden: none, contextLength: none } as never)).toEqual(architecture("wavenet"));
});

test("models and batches that are too large for any machine are refused before memory is taken", () => {
  const huge = buildNetwork(
    architecture({ contextLength: 256, folds: [256], embedding: 4096, hidden: 4096 }),
    27,
  );
  expect(() => checkTrainable(huge, 32, "train")).toThrow(
    makemoreError(
      "INVALID_MODEL",
      /train: the model has \d+ parameters, 4294967296 of them in linear1.weight; at most 50000000/,
    ),
  );
  const wide = buildNetwork(architecture({ contextLength: 256, embedding: 512, hidden: 8 }), 27);
  expect(() => checkTrainable(wide, 4096, "resume")).toThrow(
    makemoreError("INVALID_OPTION", /resume: batchSize is 4096; .* at most \d+\./),
  );
  expect(() => checkTrainable(wide, 32, "train")).not.toThrow();
  const mlp = buildNetwork(architecture("mlp"), 27);
  expect(() => checkTrainable(mlp, 1, "train")).toThrow(
    makemoreError("INVALID_OPTION", /batchSize is 1, which leaves batchNorm1d1 one row/),
  );
});

test("schedules: warm-up, hold, cosine, linear and the lecture's step", () => {
  const at = (rate: object, step: number) =>
    learningRate(checkTrainOptions({ learningRate: { peak: 1, ...rate } })().learningRate, step, 100);
  expect(at({}, 99)).toBe(1);
  expect(at({ warmup: 10 }, 0)).toBeCloseTo(0.1, 12);
  expect(at({ warmup: 10, decay: "cosine" }, 10)).toBe(1);
  expect(at({ warmup: 10, decay: "cosine" }, 55)).toBeCloseTo(0.5, 12);
  expect(at({ decay: "cosine", final: 0.2 }, 100)).toBeCloseTo(0.2, 12);
  expect(at({ decay: "linear" }, 25)).toBe(0.75);
  expect(at({ warmup: 10, decay: "linear", hold: 0.7 }, 73)).toBe(1);
  // After 3/4 of the 90 steps that follow the warm-up: 1/6 of the 27 steps of the decay.
  expect(at({ warmup: 10, decay: "linear", hold: 0.7 }, 77.5)).toBeCloseTo(5 / 6, 12);
  expect(at({ decay: "cosine", hold: 0.5 }, 75)).toBeCloseTo(0.5, 12);
  expect(at({ decay: "linear", hold: 1 }, 99)).toBe(1);
  expect(at({ decay: "step" }, 74)).toBe(1);
  expect(at({ decay: "step" }, 75)).toBe(0.1);
});

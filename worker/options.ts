/**
 * Checks the options of every call and fills in their defaults. A schema's message says what would be right; `check`
 * puts the name and the wrong value before it. This runs in the worker, so that the page does not carry a schema
 * library.
 */
import * as v from "valibot";
import { MakemoreError } from "../src/errors";
import { formatValue } from "../src/formatValue";
import { pageOptions } from "../src/pageOptions";
import type {
  PlainExportOptions,
  PlainGroupOptions,
  PlainLoadOptions,
  PlainResumeOptions,
  PlainSampleOptions,
  PlainTrainOptions,
} from "../src/protocol";
import type { MakemoreOptions, ModelChoice, RecipeName, Schedule, TrainOptions } from "../src/types";
import type { Targets } from "./data/examples";
import { seedNumber } from "./data/random";
import { byRank } from "./engines";
import { exampleOfChoice, modelSchema } from "./model/architectures";
import type { Example } from "./model/layer";
import type { ExportSettings } from "./onnx/write";
import { type Optimizer, optimizerKind, optimizerSchema } from "./optimizers";
import type { SampleSettings, SamplingCall } from "./sampling/sample";
import { autoRecipe, autoRecipeOfWords, decayForLonger } from "./training/autoRecipe";
import type { Recipe } from "./training/checkpoint";
import { recipeEntries, resolveSchedule } from "./training/recipe";
import { type RecipeSettings, recipes } from "./training/recipes";
import { between, boolean, fault, oneOf, whole } from "./validation";

/** Which steps are diagnosed; see `TrainOptions.diagnostics`. */
export type DiagnosticsSetting = NonNullable<TrainOptions["diagnostics"]>;

/** `train`'s options with every default filled in. */
export interface TrainSettings extends Recipe {
  readonly model: ModelChoice;
  readonly evalEvery: number;
  readonly sampleEvery: number;
  readonly diagnostics: DiagnosticsSetting;
  readonly prefetch: boolean;
  readonly saveAs: string | undefined;
}

/** `resume`'s options. Absent ones keep the value that the training had. */
export interface ResumeSettings extends Partial<Pick<Recipe, "steps" | "learningRate" | "patience">> {
  readonly evalEvery: number;
  readonly sampleEvery: number;
  readonly diagnostics: DiagnosticsSetting;
  readonly prefetch: boolean;
  readonly saveAs: string | undefined;
}

/** Default `patience` with `steps: "auto"`, as a fraction of the steps. */
const PATIENCE = 1 / 2;

const NOT_EMPTY = "a string that is not empty";
const NOT_BLANK = "a string that is not empty once trimmed";

const flag = v.optional(boolean);

const notEmpty = v.pipe(v.string(NOT_EMPTY), v.nonEmpty(NOT_EMPTY));

const during = {
  evalEvery: v.optional(whole(0, 10_000_000)),
  sampleEvery: v.optional(whole(0, 10_000_000)),
  diagnostics: v.optional(
    v.lazy((value) =>
      typeof value === "object" && value !== null
        ? v.strictObject({ every: whole(1, 10_000_000) })
        : v.boolean("true, false or { every: a number of steps }"),
    ),
  ),
  prefetch: flag,
  saveAs: v.optional(notEmpty),
};
const learningRate = v.optional(recipeEntries.learningRate);

const seed = v.optional(
  v.lazy((value) =>
    typeof value === "number" ? recipeEntries.seed : v.string("a whole number or a string"),
  ),
);

const column = v.optional(
  v.lazy((value) => (typeof value === "number" ? whole(0, 9999) : v.string("a name, or a number from 0"))),
);

const trainOptions = v.strictObject({
  model: v.optional(modelSchema),
  recipe: v.optional(oneOf(...Object.keys(recipes))),
  steps: v.optional(v.lazy((value) => (value === "auto" ? v.literal("auto") : recipeEntries.steps))),
  batchSize: v.optional(recipeEntries.batchSize),
  learningRate,
  optimizer: v.optional(recipeEntries.optimizer),
  order: v.optional(recipeEntries.order),
  targets: v.optional(recipeEntries.targets),
  teacher: v.optional(recipeEntries.teacher),
  seed,
  split: v.optional(recipeEntries.split),
  shuffle: v.optional(recipeEntries.shuffle),
  keepBest: v.optional(recipeEntries.keepBest),
  patience: v.optional(recipeEntries.patience),
  column,
  ...during,
});

const resumeOptions = v.strictObject({
  column,
  steps: v.optional(recipeEntries.steps),
  learningRate,
  ...during,
});

/** A group's name, or weights by name. Whether the groups exist is checked later, against the model. */
const group = v.optional(
  v.lazy((value) =>
    typeof value === "object" && value !== null && Object.keys(value).length > 0
      ? v.record(v.string(), between(0, Number.MAX_VALUE / 65_536, true))
      : v.string("a group's name, or weights above 0 by name"),
  ),
);

const groupOptions = v.strictObject({ group });

const streamOptions = v.strictObject({
  temperature: v.optional(between(0, 100, true)),
  topK: v.optional(whole(1, 65_535)),
  topP: v.optional(between(0, 1, true)),
  prefix: v.optional(v.string("a string")),
  suffix: v.optional(
    v.pipe(
      v.string(NOT_BLANK),
      v.check((text) => text.trim() !== "", NOT_BLANK),
    ),
  ),
  contains: v.optional(notEmpty),
  // The page made this from a RegExp.
  pattern: v.optional(v.object({ source: v.string(), flags: v.string() })),
  minLength: v.optional(whole(0, 1000)),
  maxLength: v.optional(whole(1, 1000)),
  seed,
  novel: flag,
  minDistance: v.optional(whole(0, 1000)),
  unique: flag,
  group,
});

const sampleOptions = v.strictObject({ ...streamOptions.entries, orderBy: v.optional(oneOf("likelihood")) });

const exportOptions = v.strictObject({
  form: v.optional(oneOf("window", "convolution", "sequence", "incremental")),
  trainingState: flag,
});

const loadOptions = v.strictObject({ column });
/** For calls whose options all stay on the page, such as `signal`. */
const noOptions = v.strictObject({});

const makemoreOptions = v.strictObject({
  backend: v.optional(oneOf("auto", ...byRank.map(({ backend }) => backend))),
});

/**
 * Throws `INVALID_OPTION` for the first mistake. It returns nothing, so that the caller keeps using its own, typed
 * value.
 */
function check(schema: v.GenericSchema, value: unknown, call: string): void {
  if (typeof value !== "object" || value === null)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: the options are ${formatValue(value)}; they must be an object.`,
    );
  const wrong = fault(
    schema,
    value,
    (path) =>
      `there is no option "${path}"${path.includes(".") ? "" : `; there are ${optionNames(schema, call)}`}.`,
  );
  if (wrong) throw new MakemoreError("INVALID_OPTION", `${call}: ${wrong}`);
}

/** The option names of a call, for messages. */
function optionNames(schema: v.GenericSchema, call: string): string {
  const entries = "entries" in schema ? Object.keys(Object(schema.entries)) : [];
  return [...new Set([...entries, ...pageOptions(call)])].join(", ");
}

/** Checks the options of `new Makemore`; its URLs stay on the page. */
export function checkMakemoreOptions(options: Omit<MakemoreOptions, "workerURL" | "assetsURL">): void {
  check(makemoreOptions, options, "new Makemore");
}

/**
 * Checks the options of `train`. The recipes are described in `TrainOptions.recipe`.
 *
 * @returns a function that completes the settings, given how many characters the training split has to predict and the
 *   size of the vocabulary. Without them, it returns the settings for a long list; seed, `split` and `shuffle` are the
 *   same either way
 */
export function checkTrainOptions(
  options: PlainTrainOptions,
): (examples?: number, vocabularySize?: number) => TrainSettings {
  check(trainOptions, options, "train");
  const { recipe = "default", targets = recipes[recipe].targets } = options;
  const { model = recipes[recipe].model } = options;
  const example = exampleOfChoice(model);
  if ((recipes[recipe].example ?? example) !== example) {
    const fitting = Object.entries(recipes).filter(([, { example: only = example }]) => only === example);
    const names = fitting.map(([name]) => `"${name}"`).join(", ");
    const [reads, other] = example === "word" ? ["words", "contexts"] : ["contexts", "words"];
    throw new MakemoreError(
      "INVALID_OPTION",
      `train: recipe is "${recipe}", which is for models that read ${other}; this one reads ${reads}, and takes one of ${names}.`,
    );
  }
  if (options.teacher === "ngram" && targets === "hard")
    throw new MakemoreError(
      "INVALID_OPTION",
      'train: targets is "hard"; it must be "soft", because teacher is "ngram".',
    );
  const { keepBest = recipes[recipe].keepBest || options.steps === "auto", patience = 0 } = options;
  const isWatched = keepBest && options.split?.[1] !== 0;
  if (patience > 0 && !isWatched)
    throw new MakemoreError(
      "INVALID_OPTION",
      `train: patience is ${patience}, but no validation loss is watched; ${keepBest ? "give validation a share of split" : "give keepBest: true"}.`,
    );
  refuseUnused("train", options.learningRate);
  const optimizer = options.optimizer && v.parse(optimizerSchema, options.optimizer);
  return (examples = Number.POSITIVE_INFINITY, vocabularySize = 1) =>
    completeSettings({ ...options, recipe, targets, optimizer, example }, examples, vocabularySize);
}

/** The fields of a schedule that each decay uses, besides `peak` and `warmup`. */
const decayFields: Readonly<Record<NonNullable<Schedule["decay"]>, readonly ("final" | "at" | "hold")[]>> = {
  constant: [],
  linear: ["final", "hold"],
  cosine: ["final", "hold"],
  step: ["final", "at"],
};

/** Refuses fields of a schedule that would have no effect. */
function refuseUnused(call: "train" | "resume", rate: number | Schedule | undefined): void {
  if (typeof rate !== "object") return;
  const { decay = "constant" } = rate;
  for (const name of ["final", "at", "hold"] as const) {
    if (rate[name] === undefined || decayFields[decay].includes(name)) continue;
    const fitting = Object.entries(decayFields).filter(([, fields]) => fields.includes(name));
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: learningRate.${name} is ${rate[name]}, which has no effect with decay "${decay}"; leave it out, or take decay ${fitting.map(([other]) => `"${other}"`).join(" or ")}.`,
    );
  }
}

/** Checked options of `train`, with the defaults that do not depend on the list. */
interface CheckedTrainOptions extends Omit<PlainTrainOptions, "optimizer"> {
  readonly recipe: RecipeName;
  readonly targets: Targets;
  readonly optimizer: Optimizer | undefined;
  /** What one example is for the model. */
  readonly example: Example;
}

function completeSettings(
  options: CheckedTrainOptions,
  examples: number,
  vocabularySize: number,
): TrainSettings {
  const { recipe: name, targets } = options;
  const recipe = recipeOf(options, examples, vocabularySize);
  const batchSize = options.batchSize ?? recipe.batchSize;
  const { steps = name === "default" ? "auto" : recipe.steps } = options;
  // With another batch size, train on as many examples in all.
  const autoSteps = Math.ceil((recipe.steps * recipe.batchSize) / batchSize);
  const total = steps === "auto" ? autoSteps : steps;
  const {
    optimizer = name === "default" ? decayForLonger(recipe.optimizer, total / autoSteps) : recipe.optimizer,
  } = options;
  const peak = optimizer.type === recipe.optimizer.type ? recipe.peak : optimizerKind(optimizer).learningRate;
  return {
    model: options.model ?? recipe.model,
    steps: total,
    batchSize,
    learningRate: resolveSchedule(options.learningRate ?? { peak, ...recipe.schedule(total) }),
    optimizer,
    order: options.order ?? recipe.order,
    targets,
    teacher: options.teacher ?? (targets === "soft" ? recipe.teacher : "none"),
    seed: seedNumber(options.seed ?? 42),
    split: options.split ?? [0.8, 0.1, 0.1],
    shuffle: options.shuffle ?? true,
    keepBest: options.keepBest ?? (recipe.keepBest || steps === "auto"),
    patience: options.patience ?? (steps === "auto" ? Math.ceil(autoSteps * PATIENCE) : 0),
    evalEvery: options.evalEvery ?? 0,
    sampleEvery: options.sampleEvery ?? 0,
    diagnostics: options.diagnostics ?? false,
    prefetch: options.prefetch ?? false,
    saveAs: options.saveAs,
  };
}

/** The recipe that the options name, for a training split of this many examples. */
function recipeOf(
  { recipe, model, example }: CheckedTrainOptions,
  examples: number,
  vocabularySize: number,
): RecipeSettings {
  if (recipe !== "default") return recipes[recipe];
  return model && example === "word"
    ? autoRecipeOfWords(model, examples, vocabularySize)
    : autoRecipe(examples);
}

/** The settings of a `resume` call. */
export function resumeSettings(options: PlainResumeOptions): ResumeSettings {
  check(resumeOptions, options, "resume");
  refuseUnused("resume", options.learningRate);
  const { steps, learningRate, evalEvery = 0, sampleEvery = 0, prefetch = false, saveAs } = options;
  const { diagnostics = false } = options;
  return {
    // A caller who asks for a number of steps does not want to stop early.
    ...(steps === undefined ? {} : { steps, patience: 0 }),
    ...(learningRate === undefined ? {} : { learningRate: resolveSchedule(learningRate) }),
    evalEvery,
    sampleEvery,
    diagnostics,
    prefetch,
    saveAs,
  };
}

/** The settings of a `sample` call. */
export function sampleSettings(count: number, options: PlainSampleOptions): SampleSettings {
  check(v.object({ count: whole(1, 1_000_000) }), { count }, "sample");
  return samplingSettings("sample", options);
}

/** The settings of a `sample` or `words` call. */
export function samplingSettings(call: SamplingCall, options: PlainSampleOptions): SampleSettings {
  check(call === "sample" ? sampleOptions : streamOptions, options, call);
  const { minLength = 1, maxLength = 100, pattern } = options;
  if (minLength > maxLength)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: minLength is ${minLength}; it must be at most maxLength, ${maxLength}.`,
    );
  return {
    temperature: options.temperature ?? 1,
    topK: options.topK ?? 65_535,
    topP: options.topP ?? 1,
    prefix: options.prefix ?? "",
    group: options.group,
    suffix: options.suffix ?? "",
    contains: options.contains ?? "",
    pattern: pattern && new RegExp(pattern.source, pattern.flags),
    minLength,
    maxLength,
    seed: seedNumber(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0),
    novel: options.novel ?? false,
    minDistance: options.minDistance ?? 0,
    unique: options.unique ?? false,
    orderBy: options.orderBy,
  };
}

/** Checks the options of `load`, without its words. */
export function checkLoadOptions(options: PlainLoadOptions): void {
  check(loadOptions, options, "load");
}

/** Checks that a call has no options beyond those that stay on the page, such as `signal`. */
export function checkNoOptions(options: object, call: "classify" | "evaluate" | "save"): void {
  check(noOptions, options, call);
}

/** Checks the options of a call that takes a group. */
export function checkGroupOptions(options: PlainGroupOptions, call: "score" | "next"): void {
  check(groupOptions, options, call);
}

/** Checks the prefix and the options of `next`. */
export function checkNext(options: object, prefix: string): void {
  checkGroupOptions(options, "next");
  check(v.object({ prefix: v.string("a string") }), { prefix }, "next");
}

/** Checks the name of a saved model. */
export function checkSavedName(name: string, call: "save" | "open" | "remove"): void {
  check(v.object({ name: notEmpty }), { name }, call);
}

/** The settings of an `exportONNX` call. An absent form means the model's default. */
export function exportSettings(options: PlainExportOptions): ExportSettings {
  check(exportOptions, options, "exportONNX");
  return { form: options.form, trainingState: options.trainingState ?? true };
}

/**
 * The recipes. A recipe is a set of settings that were measured together (docs/results.md): steps, batch size,
 * learning rate and targets. An option passed with it changes only its own setting.
 */
import type { ModelChoice, RecipeName, Schedule } from "../../src/types";
import type { Order, Targets, Teacher } from "../data/examples";
import type { ArchitectureName } from "../model/architectures";
import type { Example } from "../model/layer";
import type { Optimizer } from "../optimizers";

export interface RecipeSettings {
  /** Kind of examples of the models that it can train. Default: both. */
  readonly example?: Example;
  readonly model: ModelChoice;
  readonly steps: number;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  /** Returns the learning rate's schedule, without its peak, for a number of steps. */
  readonly schedule: (steps: number) => Omit<Schedule, "peak">;
  /** Peak of the learning rate with the recipe's own optimiser. */
  readonly peak: number;
  readonly order: Order;
  readonly targets: Targets;
  readonly teacher: Teacher;
  readonly keepBest: boolean;
}

/** AdamW of the recipes: short averages of gradients, because batches in even order have little noise. */
const adamw = { type: "adamw", beta1: 0.8, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.003 } as const;

/** 50 steps of warm-up, or a tenth of a short training. */
const warmup = (steps: number) => Math.min(50, Math.floor(steps / 10));

const standard: RecipeSettings = {
  model: "wavenet",
  steps: 3400,
  batchSize: 128,
  optimizer: adamw,
  peak: 4.5e-3,
  schedule: (steps) => ({ warmup: warmup(steps), decay: "linear", hold: 0.7 }),
  order: "even",
  targets: "soft",
  teacher: "none",
  keepBest: true,
};

const adamwOfWords = { ...adamw, beta1: 0.9, weightDecay: 0.01 } as const;

/**
 * `"default"` for a model that reads words: like `standard`, in minibatches of 32 words (about 230 characters of
 * names). `tuned` has the changes per family.
 */
export const standardOfWords: RecipeSettings = {
  ...standard,
  model: "transformer",
  steps: 6000,
  batchSize: 32,
  optimizer: adamwOfWords,
  peak: 3e-3,
  schedule: (steps) => ({ warmup: warmup(steps), decay: "linear", hold: 0.5 }),
};

/** Changes to `standardOfWords` per family. */
export const tuned: Readonly<
  Partial<Record<ArchitectureName, Partial<Pick<RecipeSettings, "steps" | "peak" | "optimizer" | "teacher">>>>
> = {
  // A bigram table cannot overfit; only the learning rate limits how soon it is learned.
  bigram: { steps: 2000, peak: 0.05 },
  microgpt: { peak: 0.01 },
  // It overfits sooner than the others: without a teacher it ends at a loss of 1.971 instead of 1.943.
  transformer: {
    peak: 2e-3,
    optimizer: { ...adamwOfWords, weightDecay: 0.1 },
    teacher: "ngram",
  },
};

/** All recipes by name; `TrainOptions.recipe` says what each is for. */
export const recipes: Readonly<Record<RecipeName, RecipeSettings>> = {
  default: standard,
  thorough: { ...standard, example: "window", steps: 5000, optimizer: { ...adamw, weightDecay: 0.01 } },
  best: {
    ...standard,
    example: "window",
    steps: 8000,
    optimizer: { ...adamw, weightDecay: 0.05 },
    schedule: (steps) => ({ warmup: warmup(steps), decay: "linear", hold: 0.6 }),
    teacher: "ngram",
  },
  lecture: {
    example: "window",
    model: "wavenet",
    steps: 200_000,
    batchSize: 32,
    optimizer: { type: "sgd" },
    peak: 0.1,
    schedule: () => ({ decay: "step" }),
    order: "random",
    targets: "hard",
    teacher: "none",
    keepBest: false,
  },
  // makemore.py's.
  makemore: {
    model: "transformer",
    steps: 10_000,
    batchSize: 32,
    optimizer: { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 },
    peak: 5e-4,
    schedule: () => ({ decay: "constant" }),
    order: "random",
    targets: "hard",
    teacher: "none",
    keepBest: true,
  },
  // Adam is AdamW without decay.
  microgpt: {
    example: "word",
    model: "microgpt",
    steps: 1000,
    batchSize: 1,
    optimizer: { type: "adamw", beta1: 0.85, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 },
    peak: 0.01,
    schedule: () => ({ decay: "linear" }),
    order: "random",
    targets: "hard",
    teacher: "none",
    keepBest: false,
  },
};

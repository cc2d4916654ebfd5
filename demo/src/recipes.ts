/** The presets of the form, and what the form comes to as options of `train`. */
import type { ModelChoice, ModelInfo, Schedule, TrainOptions } from "makemore-web";
import { field, numberOf, requiredNumber } from "./dom";

/** Steps that the library takes at most. */
const MOST_STEPS = 10_000_000;

/** What a preset writes into the fields, by their names. */
type Preset = Record<"steps" | "batchSize" | "learningRate" | "decay" | "warmup" | "optimizer", string>;

/** Warm-up stays empty: it follows from the steps. */
const adamw = { batchSize: "64", learningRate: "0.002", decay: "cosine", warmup: "", optimizer: "adamw" };

/** The library's default recipe at three lengths, and the lecture's. */
const presets: Record<string, Preset> = {
  quick: { steps: "5000", ...adamw },
  default: { steps: "10000", ...adamw },
  thorough: { steps: "30000", ...adamw },
  lecture: {
    steps: "200000",
    batchSize: "32",
    learningRate: "0.1",
    decay: "step",
    warmup: "0",
    optimizer: "sgd",
  },
};

/** Fills the fields with the preset that is chosen. */
export function fillPreset(form: HTMLFormElement): void {
  const preset = presets[field(form, "recipe").value];
  for (const [name, value] of Object.entries(preset ?? {})) field(form, name).value = value;
}

/** The model of the form. */
function modelOf(form: HTMLFormElement): ModelChoice {
  const choice = field(form, "model").value;
  if (choice === "mlp") return "mlp";
  // The lecture's first WaveNet: 22,397 parameters for 26 letters.
  if (choice === "small") return { embedding: 10, hidden: 68 };
  if (choice !== "own") return "wavenet";
  const folds = field(form, "folds")
    .value.match(/[^\s,x×]+/g)
    ?.map(Number);
  return {
    contextLength: requiredNumber(form, "contextLength"),
    embedding: requiredNumber(form, "embedding"),
    hidden: requiredNumber(form, "hidden"),
    ...(folds ? { folds } : {}),
  };
}

/**
 * The learning rate of the form; "linear" and "cosine" end at 0, "step" at a tenth. An empty warm-up
 * is as long as the library's own.
 */
function scheduleOf(form: HTMLFormElement, steps: number): Schedule {
  const chosen = field(form, "decay").value;
  const decay = (["constant", "linear", "cosine", "step"] as const).find((name) => name === chosen);
  return {
    peak: requiredNumber(form, "learningRate"),
    warmup: numberOf(form, "warmup") ?? Math.min(200, Math.floor(steps / 10)),
    decay,
  };
}

/** Everything of the form that `train` takes; a wrong number is for the library to refuse. */
export function optionsOf(form: HTMLFormElement): TrainOptions & { steps: number } {
  const steps = requiredNumber(form, "steps");
  return {
    model: modelOf(form),
    steps,
    batchSize: requiredNumber(form, "batchSize"),
    learningRate: scheduleOf(form, steps),
    optimizer: field(form, "optimizer").value === "sgd" ? "sgd" : "adamw",
    seed: requiredNumber(form, "seed"),
  };
}

/**
 * The steps that `resume` goes on to: the form's, or if it has none or so many are done, those that the training
 * was to have. Undefined if there is nothing to go on to.
 */
export function resumedSteps(form: HTMLFormElement, { step, steps }: ModelInfo): number | undefined {
  const wanted = numberOf(form, "steps") ?? steps;
  // A wrong number is for Train to show.
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST_STEPS) return undefined;
  return [wanted, steps].find((total) => total > step);
}

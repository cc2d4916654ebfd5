/** Reads the form into options of `train`. The library chooses the value of an empty field. */
import type { ModelChoice, Schedule, TrainOptions } from "makemore-web";
import { field, numberOf, requiredNumber } from "./dom";

/** Steps that the library takes at most. */
const MOST_STEPS = 10_000_000;

/** Models of the form that the library has by the same name. */
const MODELS = ["mlp", "bigram", "bow", "rnn", "gru", "lstm", "transformer", "microgpt"] as const;

const RECIPES: readonly NonNullable<TrainOptions["recipe"]>[] = [
  "default",
  "thorough",
  "best",
  "lecture",
  "makemore",
  "microgpt",
];

/** Clears the fields, because each recipe has values of its own. */
export function clearRecipe(form: HTMLFormElement): void {
  for (const name of ["steps", "batchSize", "learningRate", "warmup", "optimizer"])
    field(form, name).value = "";
}

/** The model of the form; undefined is the library's, by the size of the list. */
function modelOf(form: HTMLFormElement): ModelChoice | undefined {
  const choice = field(form, "model").value;
  // The library chooses the WaveNet's size by the list.
  if (choice === "wavenet") return undefined;
  const named = MODELS.find((name) => name === choice);
  if (named) return named;
  // The lecture's first WaveNet: 22,397 parameters for 26 letters.
  if (choice === "small") return { embedding: 10, hidden: 68 };
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

/** The learning rate of the form; "linear" and "cosine" end at 0, "step" at a tenth. */
function scheduleOf(form: HTMLFormElement): Schedule | undefined {
  const peak = numberOf(form, "learningRate");
  const warmup = numberOf(form, "warmup");
  if (peak === undefined && warmup === undefined) return undefined;
  const chosen = field(form, "decay").value;
  const decay = (["constant", "linear", "cosine", "step"] as const).find((name) => name === chosen);
  // A warm-up needs a rate: the library refuses an empty one and names it.
  return { peak: peak ?? Number.NaN, warmup, decay };
}

/** What the page calls the choice of a group of radio buttons: "WaveNet", "Default". */
export function labelOf(form: HTMLFormElement, name: string): string {
  const text = field(form, name).closest("label")?.querySelector("span")?.firstChild?.textContent;
  return text?.trim() ?? "";
}

/** All options of the form. The library refuses wrong numbers. */
export function optionsOf(form: HTMLFormElement): TrainOptions & { steps?: number } {
  const recipe = RECIPES.find((name) => name === field(form, "recipe").value);
  const optimizer = (["adamw", "sgd"] as const).find((name) => name === field(form, "optimizer").value);
  const steps = numberOf(form, "steps");
  const options = {
    recipe,
    model: modelOf(form),
    batchSize: numberOf(form, "batchSize"),
    learningRate: scheduleOf(form),
    optimizer,
    seed: requiredNumber(form, "seed"),
  };
  return steps === undefined ? options : { ...options, steps };
}

/** Steps done and steps in all. */
export interface Standing {
  readonly step: number;
  readonly steps: number;
}

/**
 * The total of steps for `resume`: the form's. If the form has none, or so many are done, the training's original
 * total. Undefined if there are no steps left.
 */
export function resumedSteps(form: HTMLFormElement, { step, steps }: Standing): number | undefined {
  const wanted = numberOf(form, "steps") ?? steps;
  // Train shows the error of a wrong number.
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST_STEPS) return undefined;
  return [wanted, steps].find((total) => total > step);
}

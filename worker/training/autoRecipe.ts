/**
 * The default recipe of `train`, chosen by the length of the list. A long list gets the lecture's model. A model
 * overfits a short list soon, so a short list gets a smaller model, fewer steps, and more weight decay.
 *
 * The constants come from a search over lists of 30 to 10,000 names and towns, with several seeds and splits;
 * `npm run results -- --lists` shows their results.
 */
import type { ModelChoice } from "../../src/types";
import { isTeachable } from "../data/examples";
import type { Optimizer } from "../optimizers";
import { type RecipeSettings, recipes, standardOfWords, tuned } from "./recipes";

/** Examples of the lecture's training split: 25,626 names. Longer lists use the same recipe. */
const LECTURE_EXAMPLES = 182_625;
/** Shorter lists, of less than about 1,500 words, train for as many steps as a list with this many examples. */
const FEWEST_EXAMPLES = 9_000;
/** With fewer examples than this, minibatches of 64 do better than half as many of 128. */
const MANY_EXAMPLES = 40_000;
/** The model grows between these numbers of examples: from about 300 words to 3,000. */
const SMALL = 2_000;
const LARGE = 16_000;

/** @param examples of the training split; Infinity for any long list */
export function autoRecipe(examples: number): RecipeSettings {
  const { default: long } = recipes;
  if (examples >= LECTURE_EXAMPLES) return long;
  const batchSize = examples < MANY_EXAMPLES ? 64 : long.batchSize;
  return { ...shortened(long, examples, batchSize), model: modelFor(examples) };
}

/**
 * Like `autoRecipe`, for a model that reads words. It does not change the model's size.
 *
 * @param examples characters of the training split, including the word ends
 * @param vocabularySize number of distinct characters; a teacher that would need too much memory is left out
 */
export function autoRecipeOfWords(
  model: ModelChoice,
  examples: number,
  vocabularySize: number,
): RecipeSettings {
  const family = typeof model === "string" ? model : "type" in model ? model.type : undefined;
  const own = { ...standardOfWords, ...(family && tuned[family]) };
  const long = isTeachable(examples, vocabularySize) ? own : ({ ...own, teacher: "none" } as const);
  return examples >= LECTURE_EXAMPLES ? long : shortened(long, examples, long.batchSize);
}

/** Adapts a recipe to a list that is shorter than the lecture's. */
function shortened(long: RecipeSettings, examples: number, batchSize: number): RecipeSettings {
  const share = Math.max(FEWEST_EXAMPLES, examples) / LECTURE_EXAMPLES;
  const { optimizer } = long;
  return {
    ...long,
    // A list half as long takes six tenths of the steps; a short one about 830 of 64.
    steps: Math.ceil((long.steps * long.batchSize * share ** 0.7) / batchSize),
    batchSize,
    optimizer:
      optimizer.type === "adamw"
        ? { ...optimizer, weightDecay: decayFor(examples, optimizer.weightDecay) }
        : optimizer,
  };
}

/** Weight decay: grows from the lecture's value to 0.4 at 1,000 words, and to 4 at 200 words or fewer. */
function decayFor(examples: number, long: number): number {
  return Math.min(4, Math.max(long, (3000 / examples) ** 1.4));
}

/** Maximum weight decay of a longer training, unless its list is so short that it needs more. */
const MOST_FOR_LONGER = 0.1;

/**
 * Raises the weight decay of a training that runs for more steps than its list's recipe, because it would overfit.
 * On the lecture's list, 10,000 steps end at a validation loss of 1.988 with a decay of 0.003, and at 1.972 with
 * 0.03.
 *
 * @param ratio of the training's steps to those of the list's recipe
 */
export function decayForLonger(optimizer: Optimizer, ratio: number): Optimizer {
  if (optimizer.type !== "adamw" || ratio <= 1) return optimizer;
  const { weightDecay } = optimizer;
  return {
    ...optimizer,
    weightDecay: Math.max(weightDecay, Math.min(MOST_FOR_LONGER, weightDecay * ratio ** 2)),
  };
}

/** Trees of 48 to 128 channels. The embedding has a quarter of that, but at most the lecture's 24. */
function modelFor(examples: number): ModelChoice {
  if (examples >= LARGE) return "wavenet";
  const growth = Math.max(0, (examples - SMALL) / (LARGE - SMALL));
  const hidden = 48 + 8 * Math.round(10 * growth);
  return { contextLength: 8, embedding: Math.min(24, hidden / 4), hidden };
}

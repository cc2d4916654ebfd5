/**
 * What `train` does when it is told nothing: the recipe by the length of the list. A long list takes the
 * lecture's model. A short one is soon learned by heart, so it gets a smaller model, fewer steps, and weights
 * that are held near 0 (weight decay).
 *
 * The figures were searched over lists of 30 to 10,000 names and towns, with several seeds and splits;
 * `npm run results -- --lists` shows what comes of them.
 */
import type { ModelChoice } from "../../src/types";
import { isTeachable } from "../data/examples";
import type { Optimizer } from "../optimizers";
import { type RecipeSettings, recipes, standardOfWords, tuned } from "./recipes";

/** Examples of the lecture's training split: 25,626 names. A longer list takes the same recipe. */
const LECTURE_EXAMPLES = 182_625;
/** A shorter list, of less than about 1,500 words, takes as many steps as one with so many examples. */
const FEWEST_EXAMPLES = 9_000;
/** Below this many examples, minibatches of 64 are better spent than half as many of 128. */
const MANY_EXAMPLES = 40_000;
/** Examples between which the model grows: from 300 words to 3,000. */
const SMALL = 2_000;
const LARGE = 16_000;

/** @param examples of the training split; Infinity is any long list */
export function autoRecipe(examples: number): RecipeSettings {
  const { default: long } = recipes;
  if (examples >= LECTURE_EXAMPLES) return long;
  const batchSize = examples < MANY_EXAMPLES ? 64 : long.batchSize;
  return { ...shortened(long, examples, batchSize), model: modelFor(examples) };
}

/**
 * As `autoRecipe`, for a model that reads words: its size stays as it was chosen.
 *
 * @param examples characters of the training split, the word ends included
 * @param vocabularySize different ones; a teacher that would need too much memory is left out
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

/** The recipe for a list that is shorter than the lecture's. */
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

/** From the lecture's list's to 0.4 for 1,000 words, and 4 for 200 and fewer. */
function decayFor(examples: number, long: number): number {
  return Math.min(4, Math.max(long, (3000 / examples) ** 1.4));
}

/** The most that a longer training decays, unless its list is short enough to need more. */
const MOST_FOR_LONGER = 0.1;

/**
 * The optimiser of a training that was told to take other steps than its list's own. A longer one would learn
 * the list by heart, so its weights are held nearer to 0. On the lecture's list, 10,000 steps end at a validation
 * loss of 1.988 with a decay of 0.003, and at 1.972 with 0.03.
 *
 * @param ratio of the steps to the list's own
 */
export function decayForLonger(optimizer: Optimizer, ratio: number): Optimizer {
  if (optimizer.type !== "adamw" || ratio <= 1) return optimizer;
  const { weightDecay } = optimizer;
  return {
    ...optimizer,
    weightDecay: Math.max(weightDecay, Math.min(MOST_FOR_LONGER, weightDecay * ratio ** 2)),
  };
}

/** Trees of 48 to 128 channels; embeddings of a quarter of that, at most the lecture's 24. */
function modelFor(examples: number): ModelChoice {
  if (examples >= LARGE) return "wavenet";
  const growth = Math.max(0, (examples - SMALL) / (LARGE - SMALL));
  const hidden = 48 + 8 * Math.round(10 * growth);
  return { contextLength: 8, embedding: Math.min(24, hidden / 4), hidden };
}

/** Schemas of a recipe's options, for the options of `train` and for the recipes in files. */
import * as v from "valibot";
import type { Schedule } from "../../src/types";
import { optimizerSchema } from "../optimizers";
import { between, boolean, fault, oneOf, whole } from "../validation";
import type { Recipe } from "./checkpoint";
import type { ResolvedSchedule } from "./schedule";

const SHARES = "three shares that add up to 1, the first above 0";

/** Schema of each option; the schemas that use these decide which are optional. */
export const recipeEntries = {
  steps: whole(1, 10_000_000),
  batchSize: whole(1, 4096),
  learningRate: v.lazy((value) =>
    typeof value === "object" && value !== null
      ? v.strictObject({
          peak: between(0, 1000, true),
          warmup: v.optional(whole(0, 10_000_000)),
          decay: v.optional(oneOf("constant", "linear", "cosine", "step")),
          final: v.optional(between(0, 1000)),
          at: v.optional(between(0, 1)),
          hold: v.optional(between(0, 1)),
        })
      : between(0, 1000, true),
  ),
  optimizer: optimizerSchema,
  order: oneOf("even", "random"),
  targets: oneOf("soft", "hard"),
  teacher: oneOf("ngram", "none"),
  seed: whole(0, 0xffffffff),
  split: v.pipe(
    v.array(between(0, 1), SHARES),
    v.check(
      (shares) =>
        shares.length === 3 &&
        Number(shares[0]) > 0 &&
        Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-6,
      SHARES,
    ),
  ),
  shuffle: boolean,
  keepBest: boolean,
  patience: whole(0, 10_000_000),
};

/**
 * Parses a recipe from a file; all options are required.
 *
 * @throws Error that names the wrong option
 */
export function parseRecipe(value: unknown): Recipe {
  const schema = v.strictObject(recipeEntries);
  const wrong = fault(schema, value);
  if (wrong) throw new Error(`its recipe: ${wrong}`);
  const recipe = v.parse(schema, value);
  const [train = 0, validation = 0, test = 0] = recipe.split;
  // Keep the files' order of keys, so that loading a file and exporting it again gives the same file.
  return { ...recipe, learningRate: resolveSchedule(recipe.learningRate), split: [train, validation, test] };
}

/** Fills in a schedule's defaults. */
export function resolveSchedule(rate: number | Schedule): ResolvedSchedule {
  const given = typeof rate === "number" ? { peak: rate } : rate;
  const { peak, warmup = 0, decay = "constant", at = 0.75, hold = 0 } = given;
  return { peak, warmup, decay, at, hold, final: given.final ?? (decay === "step" ? peak / 10 : 0) };
}

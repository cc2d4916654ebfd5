/** From logits to the distribution of the next character. */
import type { NextCharacter } from "../../src/types";
import type { Vocabulary } from "../data/vocabulary";
import { diverged } from "./sample";

/**
 * Every next character with its probability, likeliest first; the end of the word is "".
 *
 * @param logits values of every id of the vocabulary, from `offset` on
 * @throws MakemoreError `SAMPLING_FAILED` if one is not a number
 */
export function nextCharacters(
  vocabulary: Vocabulary,
  { values, offset }: { readonly values: Float32Array; readonly offset: number },
): NextCharacter[] {
  const logits = values.subarray(offset, offset + vocabulary.size);
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) highest = Math.max(highest, logit);
  // In float64, so that the probabilities add up to 1 to rounding.
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!Number.isFinite(total)) throw diverged();
  return weights
    .map((weight, id) => ({ character: vocabulary.decode([id]), probability: weight / total }))
    .sort((a, b) => b.probability - a.probability);
}

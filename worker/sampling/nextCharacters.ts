/** The distribution of the next character. */
import type { NextCharacter } from "../../src/types";
import type { Share } from "../data/groups";
import type { Vocabulary } from "../data/vocabulary";
import { mix, posterior } from "./groups";
import type { Prefixes } from "./prefixes";
import { diverged, walkDown } from "./sample";

/**
 * Returns every next character with its probability, the likeliest first. The end of the word is "".
 *
 * @param logits logits of all ids, from index `offset` on; those of groups are ignored
 * @throws MakemoreError `SAMPLING_FAILED` if a logit is NaN
 */
export function nextCharacters(
  vocabulary: Vocabulary,
  { values, offset }: { readonly values: Float32Array; readonly offset: number },
): NextCharacter[] {
  // Use float64, so that the probabilities add up to 1 up to rounding.
  const probabilities = new Float64Array(vocabulary.firstGroup);
  mix(probabilities, [{ values, offset, weight: 1 }]);
  return ranked(vocabulary, probabilities);
}

function ranked(vocabulary: Vocabulary, probabilities: Float64Array): NextCharacter[] {
  if (probabilities.includes(Number.NaN)) throw diverged();
  return Array.from(probabilities, (probability, id) => ({
    character: vocabulary.decode([id]),
    probability,
  })).sort((a, b) => b.probability - a.probability);
}

/**
 * Same as `nextCharacters`, for a mixture of groups and after a prefix.
 *
 * @param isAlternative true if the word is of one unknown group, so that the prefix changes the groups' probabilities;
 *   false if the same weights mix the groups at each character
 */
export async function nextOfGroups(
  prefixes: Prefixes,
  vocabulary: Vocabulary,
  { shares, isAlternative }: { readonly shares: readonly Share[]; readonly isAlternative: boolean },
  prefix: readonly number[],
  stopped: () => boolean,
): Promise<NextCharacter[]> {
  const parts: { values: Float32Array; offset: number; weight: number }[] = [];
  const beliefs: number[] = [];
  const probabilities = new Float64Array(vocabulary.firstGroup);
  for (const { token, weight } of shares) {
    let belief = Math.log(weight);
    const beginning = [token, ...prefix];
    // One token further each time; the nodes before it are only looked up.
    for (let read = isAlternative ? 1 : beginning.length; read <= beginning.length; read++) {
      const node = await walkDown(prefixes, beginning.slice(0, read), stopped);
      if (node === undefined) return [];
      const { values, offset } = prefixes.logits(node);
      const next = beginning[read];
      // Copy, because the walk for the next group may evict this node.
      if (next === undefined) {
        parts.push({ values: values.slice(offset, offset + vocabulary.firstGroup), offset: 0, weight });
        break;
      }
      mix(probabilities, [{ values, offset, weight: 1 }]);
      belief += Math.log(probabilities[next] ?? 0);
    }
    beliefs.push(belief);
  }
  const weights = isAlternative ? posterior(beliefs) : shares.map(({ weight }) => weight);
  mix(
    probabilities,
    parts.map((part, i) => ({ ...part, weight: weights[i] ?? 0 })),
  );
  return ranked(vocabulary, probabilities);
}

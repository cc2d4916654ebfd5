/** Checks the groups of a call against those that the model was trained on. */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import type { GroupChoice } from "../../src/types";
import type { Lists } from "./dataset";
import type { Vocabulary } from "./vocabulary";

/** A group's token, and its weight in a mixture. */
export interface Share {
  readonly token: number;
  /** Above 0; the weights of a mixture add up to 1. */
  readonly weight: number;
}

/**
 * Puts the lists of a call in the order of the model's groups.
 *
 * @throws MakemoreError `INVALID_WORDS` if they are not lists of exactly the model's groups
 */
export function sameGroups(call: string, { groups }: Vocabulary, lists: Lists): Lists {
  const given = typeof lists === "string" ? [] : [...lists.keys()];
  const isSame = given.length === groups.length && given.every((name) => groups.includes(name));
  if (!isSame)
    throw new MakemoreError(
      "INVALID_WORDS",
      groups.length === 0
        ? `${call}: the words are lists by group, and the model has no groups; give one list.`
        : `${call}: the words ${given.length > 0 ? `have the groups ${quoted(given)}` : "are one list"}, and the model was trained on the groups ${quoted(groups)}; give a list for each, { ${formatValue(groups[0])}: words, … }.`,
    );
  return typeof lists === "string" ? lists : new Map(groups.map((name) => [name, lists.get(name) ?? ""]));
}

/**
 * The groups and weights that the option `group` asks for; undefined without the option.
 *
 * @throws MakemoreError `INVALID_OPTION` for a group that the model does not have
 */
export function mixture(
  call: string,
  vocabulary: Vocabulary,
  group: GroupChoice | undefined,
): readonly Share[] | undefined {
  if (group === undefined) return undefined;
  const { groups } = vocabulary;
  const weights = typeof group === "string" ? [[group, 1] as const] : Object.entries(group);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return weights.map(([name, weight]) => {
    if (!groups.includes(name))
      throw new MakemoreError(
        "INVALID_OPTION",
        groups.length === 0
          ? `${call}: group is ${formatValue(group)}, and the model has no groups; train on lists by name to have some, train({ ${formatValue(name)}: words, … }).`
          : `${call}: group is ${formatValue(group)}, and the model has no group ${formatValue(name)}; there are ${quoted(groups)}.`,
      );
    return { token: vocabulary.groupId(name), weight: weight / total };
  });
}

/** Most groups that a message lists. */
const SHOWN = 20;

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).map(formatValue).join(", ");
  return names.length > SHOWN ? `${shown}, … (${names.length} in all)` : shown;
}

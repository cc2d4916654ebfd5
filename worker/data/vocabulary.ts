import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";

/** Id of the boundary, which is before, between and after words. No character has this id. */
export const BOUNDARY = 0;

/** Ids must fit the two bytes of a token. */
export const MAX_VOCABULARY = 65_535;

/**
 * Characters (Unicode code points) and their ids. Id 0 is the boundary. The characters have ids from 1, in code point
 * order, so the order of the words does not matter. The groups have the ids after the characters; a group's token is
 * before a word's first character, and tells which list the word belongs to.
 */
export class Vocabulary {
  readonly #ids = new Map<string, number>();

  /**
   * @param characters distinct code points, in the order of their ids from 1
   * @param groups names of the lists, in the order of their ids from `firstGroup`; none if there is only one list
   */
  constructor(
    readonly characters: readonly string[],
    readonly groups: readonly string[] = [],
  ) {
    if (characters.length >= MAX_VOCABULARY)
      throw new MakemoreError(
        "INVALID_WORDS",
        `The words have ${characters.length} different characters; at most ${MAX_VOCABULARY - 1} are possible.`,
      );
    if (this.size > MAX_VOCABULARY)
      throw new MakemoreError(
        "INVALID_WORDS",
        `There are ${groups.length} groups; at most ${MAX_VOCABULARY - characters.length - 1} are possible with words of ${characters.length} different characters.`,
      );
    for (const [i, character] of characters.entries()) this.#ids.set(character, i + 1);
  }

  /** The vocabulary of words, which must be trimmed and in NFC. */
  static of(words: Iterable<string>, groups: readonly string[] = []): Vocabulary {
    const codePoints = new Set<number>();
    for (const word of words) for (const character of word) codePoints.add(character.codePointAt(0) ?? 0);
    const sorted = [...codePoints].sort((a, b) => a - b);
    return new Vocabulary(
      sorted.map((codePoint) => String.fromCodePoint(codePoint)),
      groups,
    );
  }

  /** Number of ids, including the boundary and the groups: the width of the logits. */
  get size(): number {
    return this.firstGroup + this.groups.length;
  }

  /** The first group's id. Equal to `size` if there are no groups. */
  get firstGroup(): number {
    return this.characters.length + 1;
  }

  /** The id of a character; undefined if it is not in the vocabulary. */
  id(character: string): number | undefined {
    return this.#ids.get(character);
  }

  /** The id of a group that the vocabulary has. */
  groupId(name: string): number {
    const index = this.groups.indexOf(name);
    if (index < 0) throw new Error(`There is no group ${name}.`);
    return this.firstGroup + index;
  }

  /** The ids of a word's characters, without boundaries. Throws for the first unknown character. */
  encode(word: string): number[] {
    return Array.from(word.normalize("NFC"), (character) => {
      const id = this.#ids.get(character);
      if (id === undefined)
        throw new MakemoreError(
          "INVALID_WORDS",
          `${formatValue(word)} has the character "${character}", which the model never saw; it knows ${this.describe()}.`,
        );
      return id;
    });
  }

  /** The word for some ids. Ignores boundaries and groups. */
  decode(ids: Iterable<number>): string {
    let word = "";
    for (const id of ids) word += this.characters[id - 1] ?? "";
    return word;
  }

  /** The characters for messages, at most 60 of them. */
  describe(): string {
    const shown = this.characters.slice(0, 60).join("");
    return this.characters.length > 60 ? `"${shown}…" (${this.characters.length} in all)` : `"${shown}"`;
  }
}

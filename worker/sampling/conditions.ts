/**
 * The conditions on sampled words, besides prefix and length. `Guide` guides the search for `suffix` and `contains`. The
 * other conditions refuse words; `avoid` also ends a walk as soon as it has an avoided part.
 */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import type { SampleCondition } from "../../src/types";
import type { WordSet } from "../data/dataset";
import type { NearWords } from "../data/nearWords";
import type { Parts } from "../data/parts";
import type { Vocabulary } from "../data/vocabulary";
import type { SampleSettings, SamplingCall } from "./sample";

/** The word lists that conditions need. */
export interface ConditionLists {
  /** The words that `novel` excludes. */
  readonly known?: readonly WordSet[];
  readonly avoid?: Parts | undefined;
  /** The training list, for `minDistance`. */
  readonly listed?: readonly NearWords[];
}

/** Why a word was refused: a condition, or `"form"` if it is not a normalised word of known characters. */
export type Refusal = SampleCondition | "form";

/** What the search is guided to. */
export interface Goal {
  readonly condition: "suffix" | "contains";
  readonly ids: readonly number[];
}

/** A pattern is too slow if one test takes longer, ms. Most tests take less than 0.1 ms. */
const SLOW_MS = 100;
/** A pattern is tried on each character, repeated up to this often. */
const REPEATS = 40;
/** Number of characters to try a pattern on. */
const TRIED = 100;
/** Ends for the repeated characters, because patterns that fail late are the slow ones. */
const ENDS = ["", "\n", "\uffff"];

export class Conditions {
  /** Ids that each word begins with. */
  readonly prefix: readonly number[];
  readonly goal: Goal | undefined;
  readonly #settings: SampleSettings;
  readonly #call: SamplingCall;
  readonly #suffix: string;
  readonly #contains: string;
  readonly #known: readonly WordSet[];
  readonly #avoid: Parts | undefined;
  readonly #listed: readonly NearWords[];

  /**
   * @param settings settings whose `maxLength` is within what the model can read
   * @throws MakemoreError `INVALID_OPTION` for conditions that no word can meet, or a pattern that is too slow
   */
  constructor(
    vocabulary: Vocabulary,
    settings: SampleSettings,
    { known = [], avoid, listed = [] }: ConditionLists,
    call: SamplingCall,
  ) {
    this.#settings = settings;
    this.#call = call;
    this.#known = settings.novel ? known : [];
    this.#avoid = avoid;
    this.#listed = listed;
    this.#suffix = settings.suffix.trimEnd().normalize("NFC");
    this.#contains = settings.contains.normalize("NFC");
    this.prefix = encodePrefix(vocabulary, settings, call);
    const suffix = encode(vocabulary, this.#suffix, "suffix", call);
    const contains = encode(vocabulary, this.#contains, "contains", call);
    this.#checkLengths({ suffix, contains });
    for (const [name, ids] of Object.entries({ prefix: this.prefix, suffix, contains })) {
      const part = avoid?.in(ids);
      if (part)
        throw this.#invalid(
          `avoid has ${formatValue(vocabulary.decode(part))}, which is in ${name}, ${formatValue(vocabulary.decode(ids))}; leave out one of them.`,
        );
    }
    this.#refuseSlow(vocabulary);
    if (suffix.length > 0) this.goal = { condition: "suffix", ids: suffix };
    // The prefix may already contain it.
    else if (contains.length > 0 && indexOf(this.prefix, contains) < 0)
      this.goal = { condition: "contains", ids: contains };
  }

  /** Whether an avoided part ends with the last id. */
  isAvoided(ids: readonly number[]): boolean {
    return this.#avoid !== undefined && this.#avoid.endingAt(ids) > 0;
  }

  /**
   * Returns the first condition that a word fails; undefined if it meets all. Does not check `minDistance`, which is slow.
   *
   * @throws MakemoreError `INVALID_OPTION` if the pattern is too slow
   */
  refusal(word: string, ids: readonly number[]): SampleCondition | undefined {
    if (!word.endsWith(this.#suffix)) return "suffix";
    if (!word.includes(this.#contains)) return "contains";
    if (this.#avoid?.in(ids)) return "avoid";
    if (!this.#matches(word)) return "pattern";
    return this.#known.some((set) => set.has(ids)) ? "novel" : undefined;
  }

  /** Whether a word of the list is nearer than `minDistance`. Takes up to 10 ms for a million listed words. */
  isNear(ids: readonly number[]): boolean {
    const { minDistance } = this.#settings;
    return minDistance > 0 && this.#listed.some((words) => words.hasWithin(ids, minDistance - 1));
  }

  #checkLengths(parts: Readonly<Record<"suffix" | "contains", readonly number[]>>): void {
    const { maxLength, prefix } = this.#settings;
    for (const name of ["suffix", "contains"] as const) {
      const ids = parts[name];
      const value = this.#settings[name];
      const isIn = name === "contains" && indexOf(this.prefix, ids) >= 0;
      const shared = overlaps(this.prefix, ids).at(-1) ?? 0;
      if (ids.length === 0 || isIn || this.prefix.length + ids.length - shared <= maxLength) continue;
      const what = prefix === "" ? "which is" : `and prefix ${formatValue(prefix)}; together they are`;
      throw this.#invalid(`${name} is ${formatValue(value)}, ${what} longer than maxLength, ${maxLength}.`);
    }
  }

  /** Refuses a pattern whose time explodes with the length of a word. */
  #refuseSlow(vocabulary: Vocabulary): void {
    const longest = Math.min(REPEATS, this.#settings.maxLength);
    if (!this.#settings.pattern) return;
    for (const character of vocabulary.characters.slice(0, TRIED))
      for (let length = 1; length <= longest; length++)
        for (const end of ENDS) this.#matches(character.repeat(length) + end);
  }

  #matches(word: string): boolean {
    const { pattern } = this.#settings;
    if (!pattern) return true;
    const timed = () => {
      const start = performance.now();
      // With the flags "g" and "y", the search would start at `lastIndex`.
      pattern.lastIndex = 0;
      const matches = pattern.test(word);
      return { matches, ms: performance.now() - start };
    };
    const { matches, ms } = timed();
    // Once more, because the thread may have been paused.
    if (ms > SLOW_MS && timed().ms > SLOW_MS)
      throw this.#invalid(
        `pattern is ${pattern}, which takes ${Math.round(ms)} ms for ${formatValue(word)}; avoid repeats inside of repeats, such as (a+)+.`,
      );
    return matches;
  }

  #invalid(what: string): MakemoreError {
    return new MakemoreError("INVALID_OPTION", `${this.#call}: ${what}`);
  }
}

/** All lengths at which the end of `ids` equals the beginning of `next`, including 0. */
export function overlaps(ids: readonly number[], next: readonly number[]): number[] {
  const most = Math.min(ids.length, next.length);
  return Array.from({ length: most + 1 }, (_, shared) => shared).filter((shared) =>
    endsWith(ids, next.slice(0, shared)),
  );
}

export function endsWith(ids: readonly number[], end: readonly number[]): boolean {
  return end.every((id, i) => ids[ids.length - end.length + i] === id);
}

/** Index of the first occurrence of `part` in `ids`; -1 if there is none. */
export function indexOf(ids: readonly number[], part: readonly number[]): number {
  for (let at = 0; at + part.length <= ids.length; at++)
    if (part.every((id, i) => ids[at + i] === id)) return at;
  return -1;
}

/** Encodes a prefix. Refuses unknown characters, and prefixes longer than `maxLength`. */
export function encodePrefix(
  vocabulary: Vocabulary,
  { prefix, maxLength }: Pick<SampleSettings, "prefix" | "maxLength">,
  call: SamplingCall | "next",
): number[] {
  const tokens = encode(vocabulary, prefix.trimStart().normalize("NFC"), "prefix", call);
  if (tokens.length > maxLength)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: prefix is ${formatValue(prefix)}, which is longer than maxLength, ${maxLength}.`,
    );
  return tokens;
}

function encode(vocabulary: Vocabulary, text: string, name: string, call: string): number[] {
  return Array.from(text, (character) => {
    const id = vocabulary.id(character);
    if (id === undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: ${name} is ${formatValue(text)}, and the model never saw ${formatValue(character)}; it knows ${vocabulary.describe()}.`,
      );
    return id;
  });
}

/**
 * New words. All of a call walk down the tree of prefixes together, one character a step; a walk
 * that ends leaves, and the next word takes its place, until enough are found. Which characters a
 * word gets depends on the seed and the word's number alone, never on its company, so the words
 * are those that one walk at a time would give.
 */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import type { PlainSampleOptions } from "../../src/protocol";
import { turns } from "../../src/slices";
import type { WordSet } from "../data/dataset";
import { isReadable, normalizeWord } from "../data/normalization";
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import { Chooser } from "../model/chooser";
import type { Complete } from "../validation";
import { Prefixes } from "./prefixes";

/** Words in a row that may be refused (known, or found before) before the call gives up. */
const MAX_REFUSED = 10_000;
/** Milliseconds between turns of the event loop. */
const TURN_MS = 12;

/** `sample`'s options with every default filled in. */
export type SampleSettings = Complete<Omit<PlainSampleOptions, "group">> &
  Pick<PlainSampleOptions, "group"> & { readonly seed: number };

/** A word under way. */
interface Walk {
  /** Its place in the order of words: the key of its chance. */
  readonly number: number;
  readonly tokens: number[];
  /** Tokens yet to be read before the first choice. */
  readonly unread: number[];
}

/** The calls that sample, for messages. */
export type SamplingCall = "sample" | "words";

/** What a sampling needs of the tree of prefixes. */
export type Beginnings = Pick<Prefixes, "walks" | "logits" | "step" | "isFull" | "compute" | "keep">;

/** What is asked of a sampling. */
interface Sampling {
  readonly vocabulary: Vocabulary;
  readonly count: number;
  readonly settings: SampleSettings;
  /** Ids of the settings' prefix. */
  readonly prefix: readonly number[];
  /** Tokens of groups, which take turns: the one that a word begins with. None without groups. */
  readonly groups?: readonly number[];
  /** The sets of words that `novel` leaves out. */
  readonly known: readonly WordSet[];
  /** Asked between steps; once true, the words so far are returned. */
  readonly stopped: () => boolean;
  /** Walks at once, so that a step of all is short. */
  readonly most: number;
}

/**
 * Samples `count` words; fewer only if `stopped` becomes true.
 *
 * @param found goes on from the words of the sampling that it had before
 * @throws MakemoreError `SAMPLING_FAILED` if the constraints leave too few words
 */
export async function sampleWords(
  prefixes: Beginnings,
  { vocabulary, count, settings, prefix, groups = [], known, stopped, most }: Sampling,
  found: Found = new Found("sample", settings),
): Promise<string[]> {
  found.begin(count);
  const { seed, minLength, maxLength } = settings;
  const chooser = new Chooser(vocabulary.firstGroup, settings);
  const end = ({ number, tokens }: Walk) =>
    found.end(number, wordOf(vocabulary, tokens, prefix, settings, known));
  const atOnce = Math.min(prefixes.walks, most);
  // Current node of each walk; the last slot is the start node.
  const nodes = new Int32Array(atOnce + 1);
  const walks: Walk[] = [];
  const giveTurn = turns(TURN_MS);
  // Words of several groups have no more in common than the root.
  const common = groups.length > 1 ? [] : [...groups, ...prefix];
  let start = await walkDown(prefixes, common, stopped);
  if (start === undefined) return [];
  for (;;) {
    // First of all, because the call before may have ended right after a step.
    await prefixes.compute();
    if (prefixes.isFull(atOnce)) {
      nodes[walks.length] = start;
      const kept = nodes.subarray(0, walks.length + 1);
      prefixes.keep(kept);
      start = kept[walks.length] ?? Prefixes.root;
    }
    while (walks.length < atOnce) {
      const number = found.next();
      if (number === undefined) break;
      nodes[walks.length] = start;
      const group = groups[number % groups.length];
      const unread = groups.length > 1 && group !== undefined ? [group, ...prefix] : [];
      walks.push({ number, tokens: [...prefix], unread });
    }
    let going = 0;
    for (const [i, walk] of walks.entries()) {
      const { number, tokens } = walk;
      const { length } = tokens;
      const node = nodes[i] ?? Prefixes.root;
      const next = walk.unread.shift();
      if (next !== undefined) {
        nodes[going] = prefixes.step(node, next);
        walks[going++] = walk;
        continue;
      }
      if (length < maxLength) {
        const unit = randomUnit(randomBits(seed, Stream.sampling, number, length));
        const { values, offset } = prefixes.logits(node);
        const token = chooser.choose(values, offset, unit, length >= minLength);
        if (token < 0) throw diverged(found.words);
        if (token !== BOUNDARY) {
          tokens.push(token);
          if (tokens.length < maxLength) {
            nodes[going] = prefixes.step(node, token);
            walks[going++] = walk;
            continue;
          }
        }
      }
      end(walk);
    }
    walks.length = going;
    found.decide();
    if (found.words.length === count || stopped()) {
      found.interrupt(walks.map(({ number }) => number));
      return found.words;
    }
    await giveTurn();
  }
}

/**
 * The words of a call, in one batch or in several. They end in any order, and are taken or refused in the
 * order of their numbers, so that of two equal words the same one is refused in any company.
 */
export class Found {
  /** Of the batch under way. */
  words: string[] = [];
  readonly #call: SamplingCall;
  readonly #settings: SampleSettings;
  /** Words wanted of the batch. */
  #count = 0;
  /** Words taken in earlier batches. */
  #before = 0;
  #started = 0;
  /** Numbers whose walks did not end with their batch; the next one starts them again. */
  #interrupted: number[] = [];
  /** Words that have ended before some with a lower number; undefined where the word is known. */
  readonly #ended = new Map<number, string | undefined>();
  readonly #seen = new Set<string>();
  #decided = 0;
  #refusedInARow = 0;

  constructor(call: SamplingCall, settings: SampleSettings) {
    this.#call = call;
    this.#settings = settings;
  }

  /** Begins a batch of `count` more words. */
  begin(count: number): void {
    this.#before += this.words.length;
    this.words = [];
    this.#count = count;
  }

  /** The number of a walk to start; undefined if enough are under way. */
  next(): number | undefined {
    return this.#interrupted.pop() ?? (this.#started < this.#wanted ? this.#started++ : undefined);
  }

  /** Ends a batch in which these walks are still under way. */
  interrupt(numbers: readonly number[]): void {
    this.#interrupted.push(...numbers);
  }

  /** Walks to have started: as many as it should take at the rate so far; no more than words if all are taken. */
  get #wanted(): number {
    const taken = this.#before + this.words.length;
    const missing = this.#count - this.words.length;
    return this.#decided + Math.ceil((missing * (this.#decided + 1)) / (taken + 1));
  }

  end(number: number, word: string | undefined): void {
    this.#ended.set(number, word);
  }

  decide(): void {
    for (; this.#ended.has(this.#decided) && this.words.length < this.#count; this.#decided++) {
      const word = this.#ended.get(this.#decided);
      this.#ended.delete(this.#decided);
      if (word !== undefined && !this.#seen.has(word)) {
        this.#refusedInARow = 0;
        if (this.#settings.unique) this.#seen.add(word);
        this.words.push(word);
      } else if (++this.#refusedInARow >= MAX_REFUSED)
        throw tooFew(this.#call, this.#before + this.words.length, this.#count, this.words, this.#settings);
    }
  }
}

/**
 * The word of a walk, in the form in which words come in; undefined if it may not leave.
 *
 * A model puts characters together as no list has them: "e" and a combining accent, or a space at an end.
 * Once normalized, the word may be shorter, listed, or not begin with the prefix any more, and may have a
 * character that the model never saw.
 */
function wordOf(
  vocabulary: Vocabulary,
  tokens: readonly number[],
  prefix: readonly number[],
  { minLength, novel }: SampleSettings,
  known: readonly WordSet[],
): string | undefined {
  const text = vocabulary.decode(tokens);
  const word = normalizeWord(text);
  if (!isReadable(word)) return undefined;
  let ids = tokens;
  if (word !== text) {
    ids = Array.from(word, (character) => vocabulary.id(character) ?? BOUNDARY);
    if (ids.length < minLength || ids.includes(BOUNDARY)) return undefined;
    if (prefix.some((id, i) => ids[i] !== id)) return undefined;
  }
  return novel && known.some((set) => set.has(ids)) ? undefined : word;
}

/** The ids of a prefix; refuses one that the model or `maxLength` cannot have. */
export function encodePrefix(
  vocabulary: Vocabulary,
  { prefix, maxLength }: Pick<SampleSettings, "prefix" | "maxLength">,
  call: SamplingCall | "next" = "sample",
): number[] {
  const tokens = Array.from(prefix.trimStart().normalize("NFC"), (character) => {
    const id = vocabulary.id(character);
    if (id === undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: prefix is ${formatValue(prefix)}, and the model never saw ${formatValue(character)}; it knows ${vocabulary.describe()}.`,
      );
    return id;
  });
  if (tokens.length > maxLength)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: prefix is "${prefix}", which is longer than maxLength, ${maxLength}.`,
    );
  return tokens;
}

/** The node of a prefix, computed with everything above it; undefined if `stopped` becomes true. */
export async function walkDown(
  prefixes: Beginnings,
  prefix: readonly number[],
  stopped: () => boolean,
): Promise<number | undefined> {
  const giveTurn = turns(TURN_MS);
  let node: number = Prefixes.root;
  for (const token of prefix) {
    node = await stepDown(prefixes, node, token);
    await giveTurn();
    if (stopped()) return undefined;
  }
  await prefixes.compute();
  return node;
}

/** The node one known character below, where everything above is computed. */
async function stepDown(prefixes: Beginnings, node: number, token: number): Promise<number> {
  await prefixes.compute();
  const kept = Int32Array.of(node);
  if (prefixes.isFull(1)) prefixes.keep(kept);
  return prefixes.step(kept[0] ?? Prefixes.root, token);
}

function tooFew(
  call: SamplingCall,
  total: number,
  count: number,
  words: readonly string[],
  { novel, unique, prefix, temperature }: SampleSettings,
): MakemoreError {
  const asked = [novel ? "novel" : "", unique ? "unique" : ""].filter((name) => name !== "").join(" and ");
  const refused = asked === "" ? "words in the form of the list (trimmed, in NFC, of its characters)" : asked;
  return new MakemoreError(
    "SAMPLING_FAILED",
    `${call}: only ${total}${call === "sample" ? ` of ${count}` : ""} words were found; then ${MAX_REFUSED} in a row were not ${refused}. ${call === "sample" ? "Ask for fewer, raise" : "Raise"} temperature (${temperature})${prefix === "" ? "" : `, shorten prefix ("${prefix}")`}${asked === "" ? "" : `, or leave out ${asked}`}.`,
    { words },
  );
}

/**
 * For logits that are not numbers. Finite weights may still be large enough for that.
 *
 * @param words those that were sampled before
 */
export function diverged(words?: readonly string[]): MakemoreError {
  return new MakemoreError(
    "SAMPLING_FAILED",
    "The model's predictions are not numbers: its training diverged. Train again with a lower learningRate.",
    words && { words },
  );
}

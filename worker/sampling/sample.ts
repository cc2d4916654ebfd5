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
import { isReadable, normalizeWord } from "../data/normalization";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import { Chooser } from "../model/chooser";
import type { Complete } from "../validation";
import type { Conditions, Refusal } from "./conditions";
import { AGAIN, type Guide, Walk } from "./guide";
import { Prefixes } from "./prefixes";

/** Walks in a row that may find no word, or one that is refused, before the call gives up. */
const MAX_REFUSED = 10_000;
/** Milliseconds between turns of the event loop. */
const TURN_MS = 12;

/** `sample`'s options with every default filled in; "" and 0 stand for no condition. */
export type SampleSettings = Complete<Omit<PlainSampleOptions, "pattern" | "orderBy" | "group">> &
  Pick<PlainSampleOptions, "orderBy" | "group"> & {
    readonly seed: number;
    readonly pattern: RegExp | undefined;
  };

/** The calls that sample, for messages. */
export type SamplingCall = "sample" | "words";

/** What a sampling needs of the tree of prefixes. */
export type Beginnings = Pick<Prefixes, "walks" | "logits" | "step" | "isFull" | "compute" | "keep">;

/** What is asked of a sampling. */
interface Sampling {
  readonly vocabulary: Vocabulary;
  readonly count: number;
  readonly settings: SampleSettings;
  /** Tokens of groups, which take turns: the one that a word begins with. None without groups. */
  readonly groups?: readonly number[];
  readonly conditions: Conditions;
  readonly guide: Guide;
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
  { vocabulary, count, settings, groups = [], conditions, guide, stopped, most }: Sampling,
  found: Found = new Found("sample", settings),
): Promise<string[]> {
  found.begin(count);
  const { prefix } = conditions;
  const chooser = new Chooser(vocabulary.firstGroup, settings);
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
      const number = found.next(guide.pilots);
      if (number === undefined) break;
      nodes[walks.length] = start;
      const group = groups[number % groups.length];
      walks.push(
        new Walk(number, prefix, groups.length > 1 && group !== undefined ? [group, ...prefix] : []),
      );
    }
    let going = 0;
    const ended: Walk[] = [];
    for (const [i, walk] of walks.entries()) {
      const node = nodes[i] ?? Prefixes.root;
      const next = walk.unread.shift();
      if (next !== undefined) {
        nodes[going] = prefixes.step(node, next);
        walks[going++] = walk;
        continue;
      }
      const { values, offset } = prefixes.logits(node);
      const token = guide.next(walk, chooser, values, offset);
      if (Number.isNaN(token)) throw diverged(found.words);
      if (token === BOUNDARY) {
        ended.push(walk);
        continue;
      }
      nodes[going] = token === AGAIN ? start : prefixes.step(node, token);
      walks[going++] = walk;
    }
    walks.length = going;
    for (const walk of ended) {
      guide.end(walk);
      const words: string[] = [];
      for (const tokens of walk.words) {
        const word = readWord(vocabulary, tokens, settings, conditions);
        if (typeof word === "string") words.push(word);
        else walk.refusal = word.refusal;
        // Listed words may be a million.
        if (settings.minDistance > 0) await giveTurn();
      }
      found.end(walk.number, words, walk.refusal);
      if (stopped()) return found.words;
    }
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
  /** What ended before some with a lower number: the words of each walk, or what refused them. */
  readonly #ended = new Map<number, { readonly words: string[]; readonly refusal: Refusal | undefined }>();
  readonly #seen = new Set<string>();
  #decided = 0;
  #refusedInARow = 0;
  /** How often each reason refused one of them. */
  readonly #refusals = new Map<Refusal, number>();

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

  /**
   * The number of a walk to start; undefined if enough are under way.
   *
   * @param pilots start those with lower numbers, and no others
   */
  next(pilots?: number): number | undefined {
    return (
      this.#interrupted.pop() ?? (this.#started < (pilots ?? this.#wanted) ? this.#started++ : undefined)
    );
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

  /** @param words of a walk, in order; they become the caller's no more */
  end(number: number, words: string[], refusal: Refusal | undefined): void {
    this.#ended.set(number, { words, refusal });
  }

  decide(): void {
    for (;;) {
      const walk = this.#ended.get(this.#decided);
      if (!walk || this.words.length === this.#count) return;
      if (walk.words.length === 0) this.#refuse(walk.refusal ?? "form");
      while (walk.words.length > 0 && this.words.length < this.#count) this.#take(walk.words.shift() ?? "");
      // The next batch has the rest.
      if (walk.words.length > 0) return;
      this.#ended.delete(this.#decided++);
    }
  }

  #take(word: string): void {
    if (this.#seen.has(word)) {
      this.#refuse("unique");
      return;
    }
    this.#refusedInARow = 0;
    this.#refusals.clear();
    if (this.#settings.unique) this.#seen.add(word);
    this.words.push(word);
  }

  #refuse(refusal: Refusal): void {
    this.#refusals.set(refusal, (this.#refusals.get(refusal) ?? 0) + 1);
    if (++this.#refusedInARow < MAX_REFUSED) return;
    const total = this.#before + this.words.length;
    throw tooFew(this.#call, [total, this.#count], this.words, this.#refusals, this.#settings);
  }
}

/**
 * The word of a walk, in the form in which words come in; or why it may not leave.
 *
 * A model puts characters together as no list has them: "e" and a combining accent, or a space at an end.
 * Once normalized, the word may be shorter, listed, or not begin with the prefix any more, and may have a
 * character that the model never saw.
 */
function readWord(
  vocabulary: Vocabulary,
  tokens: readonly number[],
  { minLength }: SampleSettings,
  conditions: Conditions,
): string | { readonly refusal: Refusal } {
  const text = vocabulary.decode(tokens);
  const word = normalizeWord(text);
  if (!isReadable(word)) return { refusal: "form" };
  let ids = tokens;
  if (word !== text) {
    ids = Array.from(word, (character) => vocabulary.id(character) ?? BOUNDARY);
    if (ids.length < minLength || ids.includes(BOUNDARY)) return { refusal: "form" };
    if (conditions.prefix.some((id, i) => ids[i] !== id)) return { refusal: "form" };
  }
  const refusal = conditions.refusal(word, ids);
  if (refusal) return { refusal };
  return conditions.isNear(ids) ? { refusal: "minDistance" } : word;
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
  [total, count]: readonly [number, number],
  words: readonly string[],
  refusals: ReadonlyMap<Refusal, number>,
  settings: SampleSettings,
): MakemoreError {
  const { prefix, temperature } = settings;
  const [most = ["form", MAX_REFUSED] as const] = [...refusals].sort(([, a], [, b]) => b - a);
  const [refusal, times] = most;
  const condition = refusal === "form" ? undefined : refusal;
  const value = condition && condition !== "avoid" ? settings[condition] : undefined;
  const named =
    condition &&
    `${condition}${typeof value === "boolean" || !value ? "" : ` (${condition === "pattern" ? value : formatValue(value)})`}`;
  const how =
    refusal === "novel" || refusal === "unique"
      ? `not ${refusal}`
      : condition
        ? `refused by ${named}`
        : "not words in the form of the list (trimmed, in NFC, of its characters)";
  return new MakemoreError(
    "SAMPLING_FAILED",
    `${call}: only ${total}${call === "sample" ? ` of ${count}` : ""} words were found; then ${MAX_REFUSED} tries in a row failed, ${times === MAX_REFUSED ? "which" : `of which ${times}`} were ${how}. ${call === "sample" ? "Ask for fewer, raise" : "Raise"} temperature (${temperature})${prefix === "" ? "" : `, shorten prefix ("${prefix}")`}${condition ? `, or leave out ${condition}` : ""}.`,
    { words, condition },
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

/**
 * Samples new words. Many walks go down the tree of prefixes together, one character per step. When a walk ends, the next
 * word takes its place, until there are enough words. A word's characters depend only on the seed and on the word's
 * number, so the result does not depend on how many walks run at once.
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

/** The call gives up after this many walks in a row without an accepted word. */
const MAX_REFUSED = 10_000;
/** Milliseconds between turns of the event loop. */
const TURN_MS = 12;

/** `sample`'s options with all defaults filled in; "" and 0 mean no condition. */
export type SampleSettings = Complete<Omit<PlainSampleOptions, "pattern" | "orderBy" | "group">> &
  Pick<PlainSampleOptions, "orderBy" | "group"> & {
    readonly seed: number;
    readonly pattern: RegExp | undefined;
  };

/** The calls that sample, for messages. */
export type SamplingCall = "sample" | "words";

/** The part of the tree of prefixes that sampling uses. */
export type Beginnings = Pick<Prefixes, "walks" | "logits" | "step" | "isFull" | "compute" | "keep">;

/** The input of `sampleWords`. */
interface Sampling {
  readonly vocabulary: Vocabulary;
  readonly count: number;
  readonly settings: SampleSettings;
  /** Group tokens that words begin with; the groups take turns. Empty without groups. */
  readonly groups?: readonly number[];
  readonly conditions: Conditions;
  readonly guide: Guide;
  /** Polled between steps; once true, the words so far are returned. */
  readonly stopped: () => boolean;
  /** Most walks at once, so that a step stays short. */
  readonly most: number;
}

/**
 * Samples `count` words, or fewer if `stopped` becomes true.
 *
 * @param found state of earlier batches, to continue after them
 * @throws MakemoreError `SAMPLING_FAILED` if too few words meet the conditions
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
  // With several groups, walks only share the root.
  const common = groups.length > 1 ? [] : [...groups, ...prefix];
  let start = await walkDown(prefixes, common, stopped);
  if (start === undefined) return [];
  for (;;) {
    // Compute first, because the previous call may have ended right after a step.
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
        // The check took time: the list may have a million words.
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
 * Collects the words of a call, in one or several batches. Walks end in any order, but their words are accepted or
 * refused in the order of the walks' numbers. So the result does not depend on how many walks run at once.
 */
export class Found {
  /** Accepted words of the current batch. */
  words: string[] = [];
  readonly #call: SamplingCall;
  readonly #settings: SampleSettings;
  /** Number of words that the current batch must have. */
  #count = 0;
  /** Number of words accepted in earlier batches. */
  #before = 0;
  #started = 0;
  /** Numbers of walks that were unfinished when their batch ended; the next batch starts them again. */
  #interrupted: number[] = [];
  /** Ended walks that wait for a walk with a lower number: their words, or why there are none. */
  readonly #ended = new Map<number, { readonly words: string[]; readonly refusal: Refusal | undefined }>();
  readonly #seen = new Set<string>();
  #decided = 0;
  #refusedInARow = 0;
  /** How often each reason refused a word since the last accepted one. */
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
   * Returns the number of a walk to start; undefined if enough are running.
   *
   * @param pilots start only walks with numbers below this one
   */
  next(pilots?: number): number | undefined {
    return (
      this.#interrupted.pop() ?? (this.#started < (pilots ?? this.#wanted) ? this.#started++ : undefined)
    );
  }

  /** Ends a batch while these walks are still running. */
  interrupt(numbers: readonly number[]): void {
    this.#interrupted.push(...numbers);
  }

  /** How many walks should have started, estimated from the share of accepted words so far. */
  get #wanted(): number {
    const taken = this.#before + this.words.length;
    const missing = this.#count - this.words.length;
    return this.#decided + Math.ceil((missing * (this.#decided + 1)) / (taken + 1));
  }

  /** Records an ended walk. @param words its words in order; this object keeps and changes the array */
  end(number: number, words: string[], refusal: Refusal | undefined): void {
    this.#ended.set(number, { words, refusal });
  }

  decide(): void {
    for (;;) {
      const walk = this.#ended.get(this.#decided);
      if (!walk || this.words.length === this.#count) return;
      if (walk.words.length === 0) this.#refuse(walk.refusal ?? "form");
      while (walk.words.length > 0 && this.words.length < this.#count) this.#take(walk.words.shift() ?? "");
      // The batch is full: the next one takes the rest.
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
 * Normalises and checks a word; returns the word, or why it is refused.
 *
 * A model may sample what no list contains, such as "e" with a combining accent, or a space at the end. The normalised
 * word may then be shorter, be a word of the list, not begin with the prefix any more, or have a character that the model
 * never saw.
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

/** Returns the node of a prefix, and computes all nodes on the way; undefined if `stopped` becomes true. */
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

/** Returns the child of a node for a character, and computes the node itself. */
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
    `${call}: only ${total}${call === "sample" ? ` of ${count}` : ""} words were found; then ${MAX_REFUSED} tries in a row failed, ${times === MAX_REFUSED ? "which" : `of which ${times}`} were ${how}. ${call === "sample" ? "Ask for fewer, raise" : "Raise"} temperature (${temperature})${prefix === "" ? "" : `, shorten prefix (${formatValue(prefix)})`}${condition ? `, or leave out ${condition}` : ""}.`,
    { words, condition },
  );
}

/**
 * Makes the error for logits that are NaN. Large finite weights can cause them, too.
 *
 * @param words the words that were sampled before
 */
export function diverged(words?: readonly string[]): MakemoreError {
  return new MakemoreError(
    "SAMPLING_FAILED",
    "The model's predictions are not numbers: its training diverged. Train again with a lower learningRate.",
    words && { words },
  );
}

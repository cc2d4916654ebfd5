/**
 * Words become one flat stream of tokens a split: `0 e m m a 0 o l i v i a 0 …`.
 *
 * Every position from 1 on is an example: its token is the target, and its context the tokens
 * before it, back to the last 0, padded with 0 on the left. No table of contexts is built, so a
 * million words cost about 8 MB where the lecture's `X` would cost 280.
 */
import { MakemoreError } from "../../src/errors";
import type { WordStats } from "../../src/types";
import { randomBelow, randomBits, Stream } from "./random";
import { BOUNDARY, Vocabulary } from "./vocabulary";
import { eachWord, endsLine } from "./words";

/** Tokens of one split, beginning and ending with a boundary; one byte a token up to id 255. */
export type TokenStream = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The examples of a stream: every position but the first. */
export function exampleCount(stream: TokenStream): number {
  return Math.max(0, stream.length - 1);
}

/** Writes the `contextLength` tokens before `position` to `out` at `at`, padded with 0. */
export function readContext(
  stream: TokenStream,
  position: number,
  contextLength: number,
  out: { [index: number]: number },
  at = 0,
): void {
  let inside = true;
  for (let i = contextLength - 1; i >= 0; i--) {
    const token: number = inside ? (stream[--position] ?? BOUNDARY) : BOUNDARY;
    inside = token !== BOUNDARY;
    out[at + i] = token;
  }
}

/**
 * The positions of a minibatch: `batchSize` draws with replacement, as `torch.randint` makes
 * them. Every engine draws the same ones by the same key.
 */
export function drawBatch(
  stream: TokenStream,
  seed: number,
  step: number,
  batchSize: number,
): Uint32Array<ArrayBuffer> {
  const positions = new Uint32Array(batchSize);
  const examples = exampleCount(stream);
  for (let row = 0; row < batchSize; row++)
    positions[row] = 1 + randomBelow(randomBits(seed, Stream.minibatch, step, row), examples);
  return positions;
}

/** A text's words as token streams, with what there is to say about them. */
export interface Dataset {
  readonly vocabulary: Vocabulary;
  readonly train: TokenStream;
  readonly validation: TokenStream;
  readonly test: TokenStream;
  readonly stats: WordStats;
}

export interface DatasetOptions {
  seed: number;
  /** Shares of train, validation and test; they add up to 1. */
  split: readonly [number, number, number];
  shuffle: boolean;
  /** Ids to use instead of the words' own: those of a loaded model. */
  vocabulary?: Vocabulary;
}

/**
 * Builds the dataset.
 *
 * @param text words, one a line
 * @throws MakemoreError `INVALID_WORDS` where there is nothing to learn from
 */
export function buildDataset(text: string, options: DatasetOptions): Dataset {
  let dropped = 0;
  let tokens = 0;
  let count = 0;
  function* kept(): Generator<string> {
    for (const word of eachWord(text)) if (word !== "") yield word;
  }
  const known = options.vocabulary ?? Vocabulary.of(kept());
  for (const word of eachWord(text)) {
    if (word === "") dropped++;
    else {
      count++;
      for (const character of word) {
        tokens++;
        if (options.vocabulary && known.id(character) === undefined) known.encode(word);
      }
    }
  }
  // A text that ends with a line break, or is empty, has no word after it: not a dropped one.
  if (text === "" || endsLine(text)) dropped--;
  if (count === 0)
    throw new MakemoreError(
      "INVALID_WORDS",
      dropped > 0
        ? `All ${dropped} words are empty once trimmed; at least one needs a character.`
        : "There are no words; give at least one, and a few hundred to learn something from.",
    );
  if (!options.vocabulary && known.size <= 2)
    throw new MakemoreError(
      "INVALID_WORDS",
      `The words have only one character, "${known.characters[0]}"; a model needs at least two to choose from.`,
    );

  const TokenArray = known.size > 256 ? Uint16Array : Uint8Array;
  const all = new TokenArray(tokens + count + 1);
  const starts = new Uint32Array(count);
  let at = 1;
  let i = 0;
  for (const word of kept()) {
    starts[i++] = at;
    for (const character of word) all[at++] = known.id(character) ?? BOUNDARY;
    at++;
  }
  const repeated = countRepeats(all, starts);
  if (options.shuffle) shuffle(starts, options.seed);

  const trainEnd = Math.floor(options.split[0] * count + 1e-9);
  const validationEnd = Math.floor((options.split[0] + options.split[1]) * count + 1e-9);
  // One or two words still train: the first share never rounds to nothing.
  const first = Math.max(1, trainEnd);
  const second = Math.max(first, validationEnd);
  const train = gather(all, starts.subarray(0, first));
  const validation = gather(all, starts.subarray(first, second));
  const test = gather(all, starts.subarray(second));
  return {
    vocabulary: known,
    train,
    validation,
    test,
    stats: {
      count,
      dropped,
      repeated,
      split: { train: first, validation: second - first, test: count - second },
    },
  };
}

/** Fisher-Yates, from the shuffle stream. */
function shuffle(starts: Uint32Array, seed: number): void {
  for (let i = starts.length - 1; i > 0; i--) {
    const j = randomBelow(randomBits(seed, Stream.shuffle, 0, i), i + 1);
    const a = starts[i] ?? 0;
    starts[i] = starts[j] ?? 0;
    starts[j] = a;
  }
}

/** The words at `starts`, in that order, as a stream of their own. Empty where there are none. */
function gather(all: TokenStream, starts: Uint32Array): TokenStream {
  const TokenArray = all instanceof Uint16Array ? Uint16Array : Uint8Array;
  if (starts.length === 0) return new TokenArray(0);
  let length = 1;
  for (const start of starts) length += all.indexOf(BOUNDARY, start) + 1 - start;
  const stream = new TokenArray(length);
  let at = 1;
  for (const start of starts) {
    const end = all.indexOf(BOUNDARY, start);
    stream.set(all.subarray(start, end), at);
    at += end + 1 - start;
  }
  return stream;
}

function countRepeats(all: TokenStream, starts: Uint32Array): number {
  const seen = new WordSet(starts.length);
  let repeated = 0;
  for (const start of starts) if (!seen.add(all, start, all.indexOf(BOUNDARY, start))) repeated++;
  return repeated;
}

/**
 * A set of words that are held as slices of a stream, not as strings: 8 bytes a word, where a
 * `Set<string>` costs about 60. An open-addressing table of start positions.
 */
export class WordSet {
  readonly #table: Uint32Array;
  readonly #mask: number;
  #stream: TokenStream = new Uint8Array(0);

  /** @param capacity the most words it will hold */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)));
    this.#table = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** All words of a stream. */
  static of(stream: TokenStream): WordSet {
    let words = 0;
    for (let i = 1; i < stream.length; i++) if (stream[i] === BOUNDARY) words++;
    const set = new WordSet(words);
    for (let start = 1; start < stream.length; ) {
      const end = stream.indexOf(BOUNDARY, start);
      set.add(stream, start, end);
      start = end + 1;
    }
    return set;
  }

  /** The words of a text, one a line, less those that the vocabulary cannot spell. */
  static ofText(text: string, vocabulary: Vocabulary): WordSet {
    const ids: number[] = [BOUNDARY];
    for (const word of eachWord(text)) {
      const known = Array.from(word, (character) => vocabulary.id(character) ?? BOUNDARY);
      if (known.length > 0 && !known.includes(BOUNDARY)) ids.push(...known, BOUNDARY);
    }
    return WordSet.of(Uint16Array.from(ids));
  }

  /** Adds the word at [start, end) of the set's one stream; false where it was there already. */
  add(stream: TokenStream, start: number, end: number): boolean {
    this.#stream = stream;
    const slot = this.#find(stream, start, end);
    if (this.#table[slot] !== 0) return false;
    this.#table[slot] = start;
    return true;
  }

  /** Whether a word, given as its ids without boundaries, is in the set. */
  has(ids: ArrayLike<number>): boolean {
    return this.#table[this.#find(ids, 0, ids.length)] !== 0;
  }

  /** The slot of an equal word, or the free one where it belongs. Position 0 marks a free slot. */
  #find(ids: ArrayLike<number>, start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (ids[i] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const other = this.#table[slot] ?? 0;
      if (other === 0) return slot;
      let i = start;
      while (i < end && this.#stream[other + i - start] === ids[i]) i++;
      if (i === end && this.#stream[other + end - start] === BOUNDARY) return slot;
    }
  }
}

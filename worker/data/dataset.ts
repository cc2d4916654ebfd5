/**
 * The words of each split as one flat stream of tokens: `0 e m m a 0 o l i v i a 0 …`.
 *
 * Every position from 1 on is an example. Its token is the target; its context is the tokens before it, back to the
 * last 0, padded with 0 on the left. No table of contexts is built, so a million words need about 8 MB, where the
 * lecture's `X` would need 280 MB.
 *
 * If words have groups, the token of the group (here g and h) is before a word's first character:
 * `0 g e m m a 0 h k i l i 0 …`. The model reads it like a character, but it is never a target, so its position is not
 * an example.
 */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import { ITEMS, inBlocks, runToEnd, type Work } from "../../src/slices";
import type { WordStats } from "../../src/types";
import { eachWord, endsLine } from "./normalization";
import { randomBelow, randomBits, Stream } from "./random";
import { BOUNDARY, Vocabulary } from "./vocabulary";

/** Tokens of one split. It begins and ends with a boundary. One byte per token if no id is above 255, otherwise two. */
export type TokenStream = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** Counts the examples of a stream without groups: every position but the first. */
export function exampleCount(stream: TokenStream): number {
  return Math.max(0, stream.length - 1);
}

/** Counts the examples of the training split. */
export function trainingExamples({ vocabulary, train, stats }: Dataset): number {
  return exampleCount(train) - (vocabulary.groups.length > 0 ? stats.split.train : 0);
}

/** The position of a word's first character, after the token of its group if it has one. */
export function wordStart(stream: TokenStream, at: number, firstGroup = Number.POSITIVE_INFINITY): number {
  return (stream[at] ?? BOUNDARY) >= firstGroup ? at + 1 : at;
}

/** A word as a slice of tokens, without its boundaries. */
export interface WordSlice {
  readonly tokens: ArrayLike<number>;
  readonly start: number;
  /** Position of the first character, after the group's token. Default: `start`, for a word without a group. */
  readonly first?: number;
  readonly end: number;
}

/** The words of a stream. */
export function* wordsOf(stream: TokenStream, firstGroup?: number): Generator<Required<WordSlice>> {
  for (let start = 1; start < stream.length; ) {
    const end = stream.indexOf(BOUNDARY, start);
    yield { tokens: stream, start, first: wordStart(stream, start, firstGroup), end };
    start = end + 1;
  }
}

/** The characters of the longest word of a stream (the first one, of several); empty if there are no words. */
export function longestWord(stream: TokenStream, firstGroup?: number): TokenStream {
  let longest = stream.subarray(0, 0);
  for (let start = 1, end = 1; end < stream.length; end++) {
    if (stream[end] !== BOUNDARY) continue;
    const first = wordStart(stream, start, firstGroup);
    if (end - first > longest.length) longest = stream.subarray(first, end);
    start = end + 1;
  }
  return longest;
}

/** The characters of the longest word of all splits. */
export function longestOf({ train, validation, test, vocabulary }: Dataset): TokenStream {
  const longest = (stream: TokenStream) => longestWord(stream, vocabulary.firstGroup);
  return [train, validation, test].map(longest).reduce((a, b) => (b.length > a.length ? b : a));
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
 * Draws the positions of a minibatch with replacement, as `torch.randint` does. Every engine draws the same positions
 * from the same seed and step.
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

/** Words, one per line: one text, or a text per group name. */
export type Lists = string | ReadonlyMap<string, string>;

/** Words as token streams, with their vocabulary and their counts. */
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
  /** Vocabulary of a loaded model. Default: it is made from the words. */
  vocabulary?: Vocabulary;
}

/**
 * Builds the dataset. Every group is split by the same shares.
 *
 * @throws MakemoreError `INVALID_WORDS` if there is nothing to learn from
 */
export function buildDataset(lists: Lists, options: DatasetOptions): Dataset {
  return runToEnd(datasetWork(lists, options));
}

/** Same as `buildDataset`, in slices, because a million words take seconds. */
export function* datasetWork(lists: Lists, options: DatasetOptions): Work<Dataset> {
  let dropped = 0;
  let ticks = 0;
  const characters = new Set<string>();
  const texts = typeof lists === "string" ? [["", lists] as const] : [...lists];
  const counts: number[] = [];
  for (const [group, text] of texts) {
    let count = 0;
    const droppedBefore = dropped;
    for (const word of eachWord(text)) {
      ticks += word.length + 1;
      if (ticks >= ITEMS) {
        ticks = 0;
        yield;
      }
      if (word === "") {
        dropped++;
        continue;
      }
      count++;
      if (!options.vocabulary) addCharacters(word, characters);
    }
    // The empty rest after a last line break, and an empty text, do not count as dropped words.
    if (text === "" || endsLine(text)) dropped--;
    counts.push(count);
    if (count > 0) continue;
    const empty = dropped - droppedBefore;
    const of = typeof lists === "string" ? "" : ` of the group ${formatValue(group)}`;
    throw new MakemoreError(
      "INVALID_WORDS",
      empty > 0
        ? `All ${empty} words${of} are empty once trimmed; at least one needs a character.`
        : `There are no words${of && ` in the group ${formatValue(group)}`}; give at least one, and a few hundred to learn something from.`,
    );
  }
  const known =
    options.vocabulary ?? Vocabulary.of(characters, typeof lists === "string" ? [] : [...lists.keys()]);
  if (!options.vocabulary && known.characters.length < 2)
    throw new MakemoreError(
      "INVALID_WORDS",
      `The words have only one character, "${known.characters[0]}"; a model needs at least two to choose from.`,
    );

  const all = yield* encodeLists(lists, known);
  const count = counts.reduce((sum, words) => sum + words, 0);
  const inOrder = new Uint32Array(count);
  let word = 0;
  yield* inBlocks(all.length - 1, (first, last) => {
    for (let i = first; i < last; i++) if (all[i] === BOUNDARY) inOrder[word++] = i + 1;
  });
  const repeated = yield* countRepeats(all, inOrder);
  const starts = options.shuffle || counts.length === 1 ? inOrder : interleave(inOrder, counts);
  if (options.shuffle) yield* shuffle(starts, options.seed);

  const ends = counts.map((words) => {
    const trainEnd = Math.floor(options.split[0] * words + 1e-9);
    const validationEnd = Math.floor((options.split[0] + options.split[1]) * words + 1e-9);
    // At least one word trains, even if its share rounds down to 0.
    const first = Math.max(1, trainEnd);
    return [first, Math.max(first, validationEnd)] as const;
  });
  const first = ends.reduce((sum, [end]) => sum + end, 0);
  const second = ends.reduce((sum, [, end]) => sum + end, 0);
  const order = counts.length > 1 ? yield* splitGroups(all, starts, known, ends) : starts;
  const train = yield* gather(all, order.subarray(0, first));
  const validation = yield* gather(all, order.subarray(first, second));
  const test = yield* gather(all, order.subarray(second));
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

/**
 * Encodes the words of a text as one stream.
 *
 * @param lenient leaves out words with a character that is not in the vocabulary
 * @param group token of the words' group
 * @throws MakemoreError `INVALID_WORDS` for a word with an unknown character, unless `lenient`
 */
export function* encodeText(
  text: string,
  vocabulary: Vocabulary,
  { lenient = false, group }: { readonly lenient?: boolean; readonly group?: number | undefined } = {},
): Work<TokenStream> {
  let ticks = 0;
  let stream: TokenStream = new (vocabulary.size > 256 ? Uint16Array : Uint8Array)(text.length + 2);
  let at = 1;
  for (const word of eachWord(text)) {
    ticks += word.length + 1;
    if (ticks >= ITEMS) {
      ticks = 0;
      yield;
    }
    if (word === "") continue;
    const start = at;
    // NFC may have made the word longer than the text.
    if (at + word.length + 1 >= stream.length) stream = grown(stream, at + word.length + 2);
    if (group !== undefined) stream[at++] = group;
    const end = writeWord(word, vocabulary, stream, at);
    if (end === undefined) {
      if (!lenient) vocabulary.encode(word);
      at = start;
    } else {
      stream[end] = BOUNDARY;
      at = end + 1;
    }
  }
  return stream.slice(0, at > 1 ? at : 0);
}

// Functions of their own, because browsers optimise a plain loop sooner than one in a generator.

function addCharacters(word: string, characters: Set<string>): void {
  for (const character of word) characters.add(character);
}

/** Writes the ids of a word to `stream` at `at`. Returns the end; undefined if a character is unknown. */
function writeWord(
  word: string,
  vocabulary: Vocabulary,
  stream: TokenStream,
  at: number,
): number | undefined {
  for (const character of word) {
    const id = vocabulary.id(character);
    if (id === undefined) return undefined;
    stream[at++] = id;
  }
  return at;
}

/** Encodes one or several lists as one stream. Words of a group get the group's token in front. */
export function* encodeLists(lists: Lists, vocabulary: Vocabulary): Work<TokenStream> {
  if (typeof lists === "string") return yield* encodeText(lists, vocabulary);
  const streams: TokenStream[] = [];
  for (const [group, text] of lists)
    streams.push(yield* encodeText(text, vocabulary, { group: vocabulary.groupId(group) }));
  // Neighbouring streams share one boundary.
  const parts = streams.map((stream, i) => (i > 0 ? stream.subarray(1) : stream));
  const TokenArray = parts[0] instanceof Uint16Array ? Uint16Array : Uint8Array;
  const all = new TokenArray(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Mixes the words of groups evenly; `starts` has them one group after the other. */
function interleave(starts: Uint32Array, counts: readonly number[]): Uint32Array<ArrayBuffer> {
  const places = new Float64Array(starts.length);
  let at = 0;
  for (const count of counts) for (let i = 0; i < count; i++) places[at++] = (i + 0.5) / count;
  const order = Uint32Array.from(starts.keys());
  // Break ties by the order of the groups.
  order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || a - b);
  return order.map((word) => starts[word] ?? 0);
}

/**
 * Sorts the words of groups by split: training, validation, test. Within a split, the words keep their order.
 *
 * @param ends for each group, the number of its training words, and of its training and validation words together
 */
function* splitGroups(
  all: TokenStream,
  starts: Uint32Array,
  { firstGroup }: Vocabulary,
  ends: readonly (readonly [number, number])[],
): Work<Uint32Array<ArrayBuffer>> {
  const seen = new Uint32Array(ends.length);
  const splits: [number[], number[], number[]] = [[], [], []];
  for (const [i, start] of starts.entries()) {
    const group = (all[start] ?? firstGroup) - firstGroup;
    const word = seen[group] ?? 0;
    seen[group] = word + 1;
    const [first, second] = ends[group] ?? [0, 0];
    splits[word < first ? 0 : word < second ? 1 : 2].push(start);
    if ((i & (ITEMS - 1)) === 0) yield;
  }
  return Uint32Array.from(splits.flat());
}

function grown(stream: TokenStream, length: number): TokenStream {
  const TokenArray = stream instanceof Uint16Array ? Uint16Array : Uint8Array;
  const larger = new TokenArray(Math.max(length, stream.length + (stream.length >> 1)));
  larger.set(stream);
  return larger;
}

/** Shuffles in place (Fisher-Yates), with the random stream `shuffle`. */
function* shuffle(starts: Uint32Array, seed: number): Work<void> {
  const last = starts.length - 1;
  yield* inBlocks(last, (from, to) => {
    for (let i = last - from; i > last - to; i--) {
      const j = randomBelow(randomBits(seed, Stream.shuffle, 0, i), i + 1);
      const a = starts[i] ?? 0;
      starts[i] = starts[j] ?? 0;
      starts[j] = a;
    }
  });
}

/** Copies the words at `starts`, in that order, to a new stream. It is empty if there are no words. */
function* gather(all: TokenStream, starts: Uint32Array): Work<TokenStream> {
  const TokenArray = all instanceof Uint16Array ? Uint16Array : Uint8Array;
  if (starts.length === 0) return new TokenArray(0);
  const stream = new TokenArray(all.length);
  let at = 1;
  yield* inBlocks(starts.length, (first, last) => {
    for (let i = first; i < last; i++) {
      let from = starts[i] ?? 0;
      do stream[at] = all[from++] ?? BOUNDARY;
      while (stream[at++] !== BOUNDARY);
    }
  });
  return stream.slice(0, at);
}

function* countRepeats(all: TokenStream, starts: Uint32Array): Work<number> {
  const seen = new WordSet(starts.length);
  let repeated = 0;
  yield* inBlocks(starts.length, (first, last) => {
    for (let i = first; i < last; i++) {
      const start = starts[i] ?? 0;
      if (!seen.add(all, start, all.indexOf(BOUNDARY, start))) repeated++;
    }
  });
  return repeated;
}

/**
 * A set of words of a stream. It stores start positions in an open-addressing table: 8 bytes per word, where a
 * `Set<string>` needs about 60.
 */
export class WordSet {
  readonly #table: Uint32Array;
  readonly #mask: number;
  #stream: TokenStream = new Uint8Array(0);

  /** @param capacity the most words that the set will hold */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)));
    this.#table = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** The set of all words of a stream, without groups. */
  static of(stream: TokenStream): WordSet {
    return runToEnd(WordSet.work(stream));
  }

  /** Same as `of`, in slices. With `firstGroup`, the words' group tokens are ignored. */
  static *work(stream: TokenStream, firstGroup?: number): Work<WordSet> {
    let words = 0;
    for (let i = 1; i < stream.length; i++) if (stream[i] === BOUNDARY) words++;
    const set = new WordSet(words);
    for (const { first, end } of wordsOf(stream, firstGroup)) {
      set.add(stream, first, end);
      if ((++words & (ITEMS - 1)) === 0) yield;
    }
    return set;
  }

  /** Adds the word at [start, end) of the stream, which must be the same each time; false if the set has the word. */
  add(stream: TokenStream, start: number, end: number): boolean {
    this.#stream = stream;
    const slot = this.#find(stream, start, end);
    if (this.#table[slot] !== 0) return false;
    this.#table[slot] = start;
    return true;
  }

  /** Whether the ids at [start, end), which have no boundaries, are a word of the set. */
  has(ids: ArrayLike<number>, start = 0, end = ids.length): boolean {
    return this.#table[this.#find(ids, start, end)] !== 0;
  }

  /** Finds the slot of an equal word, or else the free slot for this one. Free slots hold 0. */
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

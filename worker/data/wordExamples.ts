/**
 * The examples of a network that reads words from left to right. An example is a whole word, given by the position of
 * its first character in the stream: its `start`. Read examples.ts first.
 *
 * A word of n characters has n + 1 places. Place k reads the token at `start - 1 + k` and predicts the token at
 * `start + k`. So place 0 reads the boundary before the word, and place n predicts the boundary after it. The prefix of
 * place k is the k tokens from `start` on: the characters that the network has read so far.
 *
 * If words have groups, place 0 reads the group's token instead of the boundary, and words are sorted by group first.
 *
 * Words are sorted alphabetically by token, with ties in stream order, so that words with the same prefix are
 * neighbours. An even sample of the sorted words is therefore an even sample of all prefixes.
 *
 * Every engine draws the same words. There are W words, `step` counts from 0, `row` is the row in the batch, and all
 * arithmetic is in unsigned 32 bits (mulhi is the high word of the 64-bit product):
 *
 *     bits  = randomBits(seed, Stream.minibatch, step, row)                   random
 *     bits  = (step * batchSize + row) * 2654435769
 *             + randomBits(seed, Stream.minibatch, 0, 0)                      even
 *     start = starts[mulhi(bits, W)]
 *
 * An engine's setup without examples means: `starts` in stream order, drawn at random, with hard targets.
 *
 * The soft target of a place is the distribution of the tokens that follow the same prefix in the split. Most prefixes
 * are followed by one token only, so their soft target is the hard one. The other prefixes have ids from 1. With
 * `id = prefixOf[start + k]`, the target is
 *
 *     the token at start + k                                                  id = 0
 *     token pairs[2 j] with share pairs[2 j + 1] (the bits of a float32)
 *     for j from firstPair[id] to firstPair[id + 1] (excluded)                id > 0
 *
 * A teacher with weight w changes the target to (1 - w) target + w teacher. The teacher is the n-gram of ngram.ts, with
 * whole prefixes as its contexts. With a teacher, all prefixes have ids.
 */
import { ITEMS, runToEnd, type Work } from "../../src/slices";
import { contextEnd, contextTableWork, sortWork as sortContextsWork } from "./contexts";
import { exampleCount, longestWord, type TokenStream, wordsOf } from "./dataset";
import {
  checkTeacher,
  drawIndex,
  type ExampleChoice,
  type Examples,
  mixTeacher,
  type Order,
  type TeacherTargets,
} from "./examples";
import { ngramWork } from "./ngram";
import { BOUNDARY } from "./vocabulary";

/**
 * The words of a split, in the form in which an engine draws them. Immutable. Random order with hard targets needs no
 * table, so an engine's setup then has no examples.
 */
export type WordExamples =
  | {
      readonly unit: "word";
      readonly targets: "hard";
      readonly order: "even";
      /** Positions of the words' first characters, in sorted order. u32 [W]. */
      readonly starts: Uint32Array<ArrayBuffer>;
    }
  | {
      readonly unit: "word";
      readonly targets: "soft";
      readonly order: Order;
      readonly starts: Uint32Array<ArrayBuffer>;
      readonly prefixes: PrefixTable;
      /** The teacher's predictions; row i is for the prefix with id i + 1. */
      readonly teacher?: TeacherTargets;
    };

/**
 * The tokens that follow each prefix, for the prefixes with several next tokens, or for all prefixes if there is a
 * teacher. It needs 4 bytes per token of the stream and about 20 per word; with a teacher, at most 16 per token.
 */
export interface PrefixTable {
  /** For each position of the stream, the id of the prefix before it; 0 if only one token follows it. u32 [stream] */
  readonly prefixOf: Uint32Array<ArrayBuffer>;
  /**
   * For each prefix id, the index of its first pair. Id 0 has no pairs, and one extra entry marks the end of the last
   * prefix's pairs. u32 [prefixes + 2], where `prefixes` does not count id 0.
   */
  readonly firstPair: Uint32Array<ArrayBuffer>;
  /** Tokens that follow a prefix, each with its share (the bits of a float32). u32 [pairs, 2] */
  readonly pairs: Uint32Array<ArrayBuffer>;
}

/** The part of an engine's setup that decides which words a step draws. */
interface WordSetup {
  readonly network: { readonly vocabularySize: number; readonly firstGroup?: number };
  readonly stream: TokenStream;
  /** Examples of a network that reads windows are ignored. */
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
}

/** The first positions of the words to draw from: `starts` above. Call it once per training, because it takes time. */
export function wordStarts({
  stream,
  examples,
  network,
}: Pick<WordSetup, "stream" | "examples"> & Partial<WordSetup>): Uint32Array<ArrayBuffer> {
  return examples?.unit === "word" ? examples.starts : runToEnd(wordStartsWork(stream, network?.firstGroup));
}

/** The first positions of a stream's words, in stream order. */
function* wordStartsWork(stream: TokenStream, firstGroup?: number): Work<Uint32Array<ArrayBuffer>> {
  let words = 0;
  for (let i = 1; i < stream.length; i++) {
    if (stream[i] === BOUNDARY) words++;
    if ((i & (ITEMS - 1)) === 0) yield;
  }
  const starts = new Uint32Array(words);
  let word = 0;
  for (const { first } of wordsOf(stream, firstGroup)) {
    starts[word] = first;
    if ((++word & (ITEMS - 1)) === 0) yield;
  }
  return starts;
}

/**
 * The teacher's weight at the end of a training. For networks that read windows it falls to 0; a network that reads
 * whole words would then overfit.
 */
const TEACHER_END = 0.3;

/**
 * Prepares the words of a split; undefined if no table is needed.
 *
 * @throws MakemoreError `INVALID_OPTION` if the teacher would need more than 256 MB
 */
export function* wordExamplesWork(
  stream: TokenStream,
  vocabularySize: number,
  { order, targets, teacher, steps }: ExampleChoice,
  firstGroup = vocabularySize,
): Work<WordExamples | undefined> {
  if (targets === "hard" && order === "random") return undefined;
  const starts = yield* sortWork(stream, vocabularySize, firstGroup);
  if (targets === "hard") return { unit: "word", targets, order: "even", starts };
  const soft = { unit: "word", targets, order, starts } as const;
  if (teacher === "none") return { ...soft, prefixes: yield* prefixTableWork(stream, starts) };
  const { prefixes, shares } = yield* taughtTableWork(stream, vocabularySize, firstGroup);
  return { ...soft, prefixes, teacher: { shares, steps, end: TEACHER_END } };
}

/**
 * Sorts words alphabetically by token: a radix sort that begins with the last tokens. Each word joins at its own last
 * token, so the work is proportional to the number of tokens, not to the longest word.
 */
function* sortWork(
  stream: TokenStream,
  vocabularySize: number,
  firstGroup: number,
): Work<Uint32Array<ArrayBuffer>> {
  const starts = yield* wordStartsWork(stream, firstGroup);
  const count = starts.length;
  const lengthOf = (word: number) => stream.indexOf(BOUNDARY, starts[word]) - (starts[word] ?? 0);
  let longest = 0;
  for (let word = 0; word < count; word++) longest = Math.max(longest, lengthOf(word));
  // Longest words first.
  const ends = new Uint32Array(longest + 2);
  for (let word = 0; word < count; word++) {
    const place = longest - lengthOf(word) + 1;
    ends[place] = (ends[place] ?? 0) + 1;
  }
  for (let place = 1; place < ends.length; place++) ends[place] = (ends[place] ?? 0) + (ends[place - 1] ?? 0);
  const byLength = new Uint32Array(count);
  for (let word = 0; word < count; word++) {
    const place = longest - lengthOf(word);
    const at = ends[place] ?? 0;
    byLength[at] = starts[word] ?? 0;
    ends[place] = at + 1;
    if ((word & (ITEMS - 1)) === 0) yield;
  }
  let from = starts;
  let to = new Uint32Array(count);
  const next = new Uint32Array(vocabularySize + 1);
  let sorted = 0;
  // The last pass sorts by the group's token, which is before the word; it is skipped without groups.
  for (let depth = longest - 1; depth >= (firstGroup < vocabularySize ? -1 : 0); depth--) {
    // Words of exactly depth + 1 tokens go first, so that a word comes before longer words that begin with it.
    const all = depth < 0 ? count : (ends[longest - depth - 1] ?? 0);
    const added = all - sorted;
    const word = (i: number): number => (i < added ? byLength[sorted + i] : from[i - added]) ?? 0;
    next.fill(0);
    for (let i = 0; i < all; i++) {
      const token = stream[word(i) + depth] ?? BOUNDARY;
      next[token + 1] = (next[token + 1] ?? 0) + 1;
      if ((i & (ITEMS - 1)) === 0) yield;
    }
    for (let token = 1; token < next.length; token++)
      next[token] = (next[token] ?? 0) + (next[token - 1] ?? 0);
    for (let i = 0; i < all; i++) {
      const start = word(i);
      const token = stream[start + depth] ?? BOUNDARY;
      const at = next[token] ?? 0;
      to[at] = start;
      next[token] = at + 1;
      if ((i & (ITEMS - 1)) === 0) yield;
    }
    [from, to] = [to, from];
    sorted = all;
  }
  return from;
}

/** Builds the table of prefixes from sorted words. */
function* prefixTableWork(stream: TokenStream, starts: Uint32Array): Work<PrefixTable> {
  const words = starts.length;
  const prefixOf = new Uint32Array(exampleCount(stream) + 1);
  // A prefix with several next tokens is a branch of a tree whose leaves are words. So there are fewer such prefixes
  // than words, and at most twice as many pairs as words.
  const firstPair = new Uint32Array(words + 1);
  const pairs = new Uint32Array(4 * words);
  const shares = new Float32Array(pairs.buffer);
  let prefix = 1;
  let pair = 0;
  let ticks = 0;
  // Words from `first` to `end` (excluded) begin with the same `depth` tokens.
  const open: { first: number; end: number; depth: number }[] = [];
  const groupOf = (word: number) => stream[(starts[word] ?? 0) - 1];
  // Begin with the words of each group.
  for (let end = words, first = words - 1; first >= 0; first--)
    if (first === 0 || groupOf(first - 1) !== groupOf(first)) {
      open.push({ first, end, depth: 0 });
      end = first;
    }
  for (let group = open.pop(); group; group = open.pop()) {
    const { first, end, depth } = group;
    const before = pair;
    const tokenOf = (word: number) => stream[(starts[word] ?? 0) + depth];
    for (let word = first + 1, run = first; word <= end; word++) {
      if ((++ticks & (ITEMS - 1)) === 0) yield;
      const token = tokenOf(run) ?? BOUNDARY;
      if (word < end && tokenOf(word) === token) continue;
      pairs[2 * pair] = token;
      shares[2 * pair + 1] = (word - run) / (end - first);
      pair++;
      if (token !== BOUNDARY && word - run > 1) open.push({ first: run, end: word, depth: depth + 1 });
      run = word;
    }
    // Only one next token: the hard target will do.
    if (pair === before + 1) {
      pair = before;
      continue;
    }
    for (let word = first; word < end; word++) {
      if ((++ticks & (ITEMS - 1)) === 0) yield;
      prefixOf[(starts[word] ?? 0) + depth] = prefix;
    }
    firstPair[++prefix] = pair;
  }
  return { prefixOf, firstPair: firstPair.slice(0, prefix + 1), pairs: pairs.slice(0, 2 * pair) };
}

/** Builds the table of all prefixes with the teacher's predictions: prefixes are contexts as long as the longest word. */
function* taughtTableWork(
  stream: TokenStream,
  vocabularySize: number,
  firstGroup: number,
): Work<Pick<TeacherTargets, "shares"> & { readonly prefixes: PrefixTable }> {
  const length = longestWord(stream).length + 1;
  const sorted = yield* sortContextsWork(stream, length, vocabularySize, firstGroup);
  const table = yield* contextTableWork(stream, length, sorted);
  const count = table.contexts.length / 2 - 1;
  checkTeacher(count, vocabularySize);
  const shares = yield* ngramWork(stream, sorted, table, length, vocabularySize);
  const prefixOf = new Uint32Array(exampleCount(stream) + 1);
  const firstPair = new Uint32Array(count + 2);
  // One more pair per context, because the context table leaves one token out.
  const pairs = new Uint32Array(table.pairs.length + 2 * count);
  const theirs = new Float32Array(table.pairs.buffer);
  const ours = new Float32Array(pairs.buffer);
  let pair = 0;
  for (let context = 0, start = 0; context < count; context++) {
    if ((context & (ITEMS / 64 - 1)) === 0) yield;
    const end = contextEnd(table.ranks, start, sorted.length);
    for (; start < end; start++) prefixOf[sorted[start] ?? 0] = context + 1;
    let rest = 1;
    const last = table.contexts[2 * context + 3] ?? 0;
    for (let from = table.contexts[2 * context + 1] ?? 0; from < last; from++, pair++) {
      const share = theirs[2 * from + 1] ?? 0;
      pairs[2 * pair] = table.pairs[2 * from] ?? BOUNDARY;
      ours[2 * pair + 1] = share;
      rest -= share;
    }
    pairs[2 * pair] = stream[table.contexts[2 * context] ?? 0] ?? BOUNDARY;
    ours[2 * pair + 1] = rest;
    firstPair[context + 2] = ++pair;
  }
  return { prefixes: { prefixOf, firstPair, pairs }, shares };
}

/**
 * Draws the first positions of the words of a step, [batchSize].
 *
 * @param starts see `wordStarts`
 */
export function drawWords(
  starts: Uint32Array,
  { examples, seed, batchSize }: Pick<WordSetup, "examples" | "seed" | "batchSize">,
  step: number,
): Uint32Array<ArrayBuffer> {
  const order = examples?.order ?? "random";
  return Uint32Array.from(
    { length: batchSize },
    (_, row) => starts[drawIndex(order, seed, step, row, batchSize, starts.length)] ?? 0,
  );
}

/** Words as a minibatch, padded at their ends to the longest one. */
export interface PaddedWords {
  /** Places of the longest word. */
  readonly time: number;
  /** Number of places of all words, without padding: the loss is the mean over these. */
  readonly places: number;
  /** The token that each place reads, [words, time]; the boundary for padding. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /**
   * The target distribution of each place, [words, time, vocabulary]; one-hot if the target is hard. All 0 for padding,
   * so that the loss is `-sum(targets * logSoftmax(logits)) / places`.
   */
  readonly targets: Float32Array<ArrayBuffer>;
}

/** Makes a minibatch of the words that begin at `starts`. The targets are hard if there are no examples. */
export function padWords(
  { network: { vocabularySize }, stream, examples }: Pick<WordSetup, "network" | "stream" | "examples">,
  starts: Uint32Array,
  step = 0,
): PaddedWords {
  const { prefixes, teacher } =
    examples?.unit === "word" && examples.targets === "soft" ? examples : { prefixes: undefined };
  const shares = prefixes && new Float32Array(prefixes.pairs.buffer);
  const lengths = Array.from(starts, (start) => stream.indexOf(BOUNDARY, start) + 1 - start);
  const time = Math.max(0, ...lengths);
  const tokens = new Int32Array(starts.length * time);
  const targets = new Float32Array(tokens.length * vocabularySize);
  for (const [row, start] of starts.entries())
    for (let k = 0; k < (lengths[row] ?? 0); k++) {
      const place = row * time + k;
      tokens[place] = stream[start - 1 + k] ?? BOUNDARY;
      const prefix = prefixes?.prefixOf[start + k] ?? 0;
      if (!prefixes || prefix === 0) {
        targets[place * vocabularySize + (stream[start + k] ?? BOUNDARY)] = 1;
        continue;
      }
      const end = prefixes.firstPair[prefix + 1] ?? 0;
      for (let pair = prefixes.firstPair[prefix] ?? 0; pair < end; pair++)
        targets[place * vocabularySize + (prefixes.pairs[2 * pair] ?? BOUNDARY)] =
          shares?.[2 * pair + 1] ?? 0;
      if (teacher)
        mixTeacher(
          teacher,
          prefix - 1,
          step,
          targets.subarray(place * vocabularySize, (place + 1) * vocabularySize),
        );
    }
  return { time, places: lengths.reduce((sum, length) => sum + length, 0), tokens, targets };
}

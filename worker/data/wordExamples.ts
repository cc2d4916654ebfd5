/**
 * The examples of a network that reads words from left to right. Here an example is a whole word, known by
 * the position of its first token in the stream. Read examples.ts first.
 *
 * A word of n characters has n + 1 places. Place k reads the token at `start - 1 + k`, which is the boundary
 * for k = 0, and is to predict the token at `start + k`, which is the boundary for k = n. Its prefix, all that the
 * network has read of the word, is the k tokens from `start` on.
 *
 * If words have groups, `start` is after the group's token, so that place 0 reads that in place of the boundary. Words
 * are sorted by group first.
 *
 * Words are sorted from their first character on, a word before those that it begins, ties in the stream's order.
 * So words with equal prefixes are neighbours, and an even cut through them is an even cut through all prefixes.
 *
 * Every engine draws the same words. With W words, `step` from 0, `row` of the batch, and all arithmetic in
 * unsigned 32 bits (mulhi is the high word of the 64-bit product):
 *
 *     bits  = randomBits(seed, Stream.minibatch, step, row)                   random
 *     bits  = (step * batchSize + row) * 2654435769
 *             + randomBits(seed, Stream.minibatch, 0, 0)                      even
 *     start = starts[mulhi(bits, W)]
 *
 * Without examples, `starts` are the words in the stream's order, the order is random, and targets are hard.
 *
 * The soft target of a place is the distribution of the tokens that follow its very prefix in the split. For most
 * prefixes only one token does: then it is the hard target. The others are numbered from 1. With
 * `id = prefixOf[start + k]`, the target is
 *
 *     the token at start + k                                                  id = 0
 *     token pairs[2 j] with share pairs[2 j + 1] (the bits of a float32)
 *     for j from firstPair[id] to firstPair[id + 1] (excluded)                id > 0
 *
 * A teacher with weight w changes the target to (1 - w) target + w teacher. It is the n-gram of ngram.ts, whose
 * contexts are then whole prefixes, and all prefixes are numbered.
 */
import { ITEMS, runToEnd, type Work } from "../../src/slices";
import { contextEnd, contextTableWork, sortWork as sortContextsWork } from "./contexts";
import { exampleCount, longestWord, type TokenStream, wordStart } from "./dataset";
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
 * The words of a split, as an engine draws them. It never changes. Random order and hard targets need no table:
 * then an engine's setup has none.
 */
export type WordExamples =
  | {
      readonly unit: "word";
      readonly targets: "hard";
      readonly order: "even";
      /** Positions of the words' first tokens, in sorted order, u32 [W]. */
      readonly starts: Uint32Array<ArrayBuffer>;
    }
  | {
      readonly unit: "word";
      readonly targets: "soft";
      readonly order: Order;
      readonly starts: Uint32Array<ArrayBuffer>;
      readonly prefixes: PrefixTable;
      /** What it expects after each prefix, from prefix 1 on. */
      readonly teacher?: TeacherTargets;
    };

/**
 * What follows each prefix of a split that several tokens follow, or of all prefixes if there is a teacher: 4 bytes a
 * token and about 20 a word, with a teacher at most 16 a token.
 */
export interface PrefixTable {
  /** For each position of the stream, the prefix before it; 0 if only one token follows that. u32 [stream] */
  readonly prefixOf: Uint32Array<ArrayBuffer>;
  /**
   * The index of each prefix's first pair. Prefix 0 has none, and one more entry closes the last prefix. u32
   * [prefixes + 2], `prefixes` without prefix 0.
   */
  readonly firstPair: Uint32Array<ArrayBuffer>;
  /** Tokens that follow a prefix, each with the bits of its share, a float32. u32 [pairs, 2] */
  readonly pairs: Uint32Array<ArrayBuffer>;
}

/** What the words of a step depend on, of an engine's setup. */
interface WordSetup {
  readonly network: { readonly vocabularySize: number; readonly firstGroup?: number };
  readonly stream: TokenStream;
  /** Those of a network that reads windows are taken for none. */
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
}

/** The first positions of the words to draw from: `starts` above, to be worked out once. */
export function wordStarts({
  stream,
  examples,
  network,
}: Pick<WordSetup, "stream" | "examples"> & Partial<WordSetup>): Uint32Array<ArrayBuffer> {
  return examples?.unit === "word" ? examples.starts : runToEnd(wordStartsWork(stream, network?.firstGroup));
}

/** The first positions of a stream's words, in the stream's order. */
function* wordStartsWork(
  stream: TokenStream,
  firstGroup = Number.POSITIVE_INFINITY,
): Work<Uint32Array<ArrayBuffer>> {
  let words = 0;
  for (let i = 1; i < stream.length; i++) {
    if (stream[i] === BOUNDARY) words++;
    if ((i & (ITEMS - 1)) === 0) yield;
  }
  const starts = new Uint32Array(words);
  for (let word = 0, at = 1; word < words; word++) {
    starts[word] = wordStart(stream, at, firstGroup);
    at = stream.indexOf(BOUNDARY, at) + 1;
    if ((word & (ITEMS - 1)) === 0) yield;
  }
  return starts;
}

/**
 * The teacher's weight at the end of a training. A network of windows forgets its teacher; one that reads whole
 * words would soon learn them by heart.
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
 * Sorts words from their first token on: a radix sort, which takes the last tokens first. A word takes part from
 * its own last token on, so that the work is one step per token however long the longest word is.
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
  // The longest words first.
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
  // Last of all by what is before the word: its group. Without groups this is the boundary for all.
  for (let depth = longest - 1; depth >= (firstGroup < vocabularySize ? -1 : 0); depth--) {
    // Words of depth + 1 tokens come before those that they begin.
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

/** The prefixes of words in sorted order. */
function* prefixTableWork(stream: TokenStream, starts: Uint32Array): Work<PrefixTable> {
  const words = starts.length;
  const prefixOf = new Uint32Array(exampleCount(stream) + 1);
  // Each of several tokens after a prefix leads to another word. So there are fewer such prefixes than words,
  // and at most twice as many pairs.
  const firstPair = new Uint32Array(words + 1);
  const pairs = new Uint32Array(4 * words);
  const shares = new Float32Array(pairs.buffer);
  let prefix = 1;
  let pair = 0;
  let ticks = 0;
  // Words from `first` to `end` (excluded) begin with the same `depth` tokens.
  const open: { first: number; end: number; depth: number }[] = [];
  const groupOf = (word: number) => stream[(starts[word] ?? 0) - 1];
  // Words of one group.
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
    // One token alone is the hard target.
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

/** All prefixes, and what the teacher expects after them. A prefix is a context as long as the longest word. */
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
  // One pair more for each context, because its table leaves one token out.
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
 * The first positions of the words that a step trains on, [batchSize].
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

/** Words, written out as a minibatch: padded at their ends to the longest of them. */
export interface PaddedWords {
  /** Places of the longest word. */
  readonly time: number;
  /** Places of all words, padding left out: what the loss is the mean over. */
  readonly places: number;
  /** What each place reads, [words, time]; the boundary for padding. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /**
   * What each place is to predict, [words, time, vocabulary]: a distribution, with all of it on one token if the
   * target is hard. Zeros for padding, so that `-sum(targets * logSoftmax(logits)) / places` is the loss.
   */
  readonly targets: Float32Array<ArrayBuffer>;
}

/** Writes out the words that begin at `starts`, with the targets of `examples`; without examples, hard ones. */
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

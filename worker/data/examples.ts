/**
 * Which examples a step trains on, and what each is to predict.
 *
 * An example is a position of the token stream: the context before it, and its token as the target.
 * Two settings change how examples are used:
 *
 * - `order`: `"random"` draws with replacement, as the lecture does. `"even"` walks through the examples
 *   sorted by context, in strides of the golden ratio. Each minibatch is then an even sample of all
 *   contexts, and no example comes twice before most others came once.
 * - `targets`: `"hard"` is the example's own token. `"soft"` is the distribution of all tokens that follow
 *   the same context in the split. The expected gradient is the same, without the noise of one target.
 *
 * Examples are sorted by context: the last token first, then the one before it, and so on, ties by
 * target. So equal contexts are neighbours, and similar ones are near.
 *
 * Every engine draws the same examples. With N examples, `step` from 0, `row` of the batch, and all
 * arithmetic in unsigned 32 bits (mulhi is the high word of the 64-bit product):
 *
 *     bits  = randomBits(seed, Stream.minibatch, step, row)                   random
 *     bits  = (step * batchSize + row) * 2654435769
 *             + randomBits(seed, Stream.minibatch, 0, 0)                      even
 *     index = mulhi(bits, N)
 *
 *     position = 1 + index                                                    random, hard
 *     position = sorted[index]                                                even, hard
 *     block    = index / 32
 *     context  = ranks[2 block] - 1
 *                + popcount(ranks[2 block + 1] & (0xffffffff >> (31 - index % 32)))      soft
 *     position = contexts[2 context]                                          soft
 *
 * If words have groups, the positions of the groups' tokens are no examples. Then random order with hard targets has
 * `sorted`, too: the positions of the others in the stream's order.
 *
 * The tokens before `position` are the example's context. The target is the token at `position` if it is
 * hard. A soft one is the token and share of each pair from `contexts[2 context + 1]` to
 * `contexts[2 context + 3]` (excluded) of `pairs`; the token at `position`, which is none of them, has what
 * they leave of 1. A teacher with weight w changes the target to (1 - w) target + w teacher.
 */
import { MakemoreError } from "../../src/errors";
import { runToEnd, type Work } from "../../src/slices";
import { type ContextTable, contextTableWork, positionsWork, sortWork } from "./contexts";

import { exampleCount, type TokenStream } from "./dataset";
import { ngramWork } from "./ngram";
import { randomBelow, randomBits, Stream } from "./random";
import { BOUNDARY } from "./vocabulary";
import type { WordExamples } from "./wordExamples";

/** How examples are drawn. */
export type Order = "even" | "random";

/** What an example is to predict. */
export type Targets = "soft" | "hard";

/** What else a target is made of, and loses as training goes on. */
export type Teacher = "ngram" | "none";

/**
 * The examples of a split, as an engine draws them for a network that reads windows; `WordExamples` are those of
 * one that reads words. It never changes. Random order and hard targets need
 * no table without groups: then an engine's setup has none.
 */
export type Examples =
  | {
      readonly unit: "window";
      readonly targets: "hard";
      readonly order: Order;
      /**
       * Positions of the examples, u32 [N]: 4 bytes an example. In sorted order, or, if the order is random, in the
       * stream's.
       */
      readonly sorted: Uint32Array<ArrayBuffer>;
    }
  | {
      readonly unit: "window";
      readonly targets: "soft";
      readonly order: Order;
      readonly table: ContextTable;
      readonly teacher?: TeacherTargets;
    };

/** What the teacher expects after each context. */
export interface TeacherTargets {
  /** float32 [contexts, vocabulary]; each row adds up to 1. */
  readonly shares: Float32Array<ArrayBuffer>;
  /** Steps of the whole training; see `teacherWeight`. */
  readonly steps: number;
  /** The teacher's weight from then on. */
  readonly end: number;
}

/** A minibatch, written out. */
export interface Minibatch {
  /** Positions whose contexts are the batch's, and whose tokens are its targets if they are hard. [batchSize] */
  readonly positions: Uint32Array<ArrayBuffer>;
  /** Soft targets, float32 [batchSize, vocabulary]; absent if they are hard. */
  readonly targets?: Float32Array<ArrayBuffer>;
}

/** Bits of 2^32 times the golden ratio's fraction: the stride of even order. */
export const STRIDE = 2654435769;

/** The teacher's weight at the first step. */
const TEACHER_START = 0.9;

/** A teacher's shares are refused above this size, bytes. */
const MOST_TEACHER_BYTES = 2 ** 28;

/** What the tables depend on, of a network. */
export interface NetworkSizes {
  readonly contextLength: number;
  /** Ids, the boundary's included. */
  readonly vocabularySize: number;
  /** Ids from this one on begin words of a group. */
  readonly firstGroup: number;
}

/** How a training uses its examples. */
export interface ExampleChoice {
  readonly order: Order;
  readonly targets: Targets;
  readonly teacher: Teacher;
  /** Steps of the whole training. */
  readonly steps: number;
}

/**
 * Prepares the examples of a split; undefined if no table is needed.
 *
 * Takes about 0.2 s per million examples, and 10 bytes an example besides its result (bench/ready.ts).
 *
 * @throws MakemoreError `INVALID_OPTION` if the teacher would need more than 256 MB
 */
export function prepareExamples(
  stream: TokenStream,
  sizes: NetworkSizes,
  choice: ExampleChoice,
): Examples | undefined {
  return runToEnd(examplesWork(stream, sizes, choice));
}

/** As `prepareExamples`, in slices. */
export function* examplesWork(
  stream: TokenStream,
  { contextLength, vocabularySize, firstGroup }: NetworkSizes,
  choice: ExampleChoice,
): Work<Examples | undefined> {
  const { order, targets } = choice;
  if (targets === "hard" && order === "random") {
    if (firstGroup === vocabularySize) return undefined;
    return { unit: "window", targets, order, sorted: yield* positionsWork(stream, firstGroup) };
  }
  const sorted = yield* sortWork(stream, contextLength, vocabularySize, firstGroup);
  if (targets === "hard") return { unit: "window", targets, order, sorted };
  const table = yield* contextTableWork(stream, contextLength, sorted);
  if (choice.teacher === "none") return { unit: "window", targets, order, table };
  checkTeacher(table.contexts.length / 2 - 1, vocabularySize);
  const shares = yield* ngramWork(stream, sorted, table, contextLength, vocabularySize);
  return { unit: "window", targets, order, table, teacher: { shares, steps: choice.steps, end: 0 } };
}

/** Whether a teacher is allowed the memory that it needs. */
export function isTeachable(contexts: number, vocabularySize: number): boolean {
  return 4 * contexts * vocabularySize <= MOST_TEACHER_BYTES;
}

/** Refuses a teacher of too many bytes. */
export function checkTeacher(contexts: number, vocabularySize: number): void {
  const bytes = 4 * contexts * vocabularySize;
  if (!isTeachable(contexts, vocabularySize))
    throw new MakemoreError(
      "INVALID_OPTION",
      `train: teacher "ngram" needs ${Math.round(bytes / 1e6)} MB for these words; it may have ${Math.round(MOST_TEACHER_BYTES / 1e6)}. Take teacher: "none", fewer words, or a shorter contextLength.`,
    );
}

/** The teacher of examples, if they have one. */
export function teacherOf(examples: Examples | WordExamples | undefined): TeacherTargets | undefined {
  return examples?.targets === "soft" ? examples.teacher : undefined;
}

/** The teacher's weight at a step: from 0.9 in a straight line to `end`; 0 without a teacher. */
export function teacherWeight(teacher: TeacherTargets | undefined, step: number): number {
  if (!teacher) return 0;
  return TEACHER_START + (teacher.end - TEACHER_START) * Math.min(1, step / teacher.steps);
}

/** The examples of a network that reads windows; undefined without any, and for words. */
export function windowExamples(examples: Examples | WordExamples | undefined): Examples | undefined {
  return examples?.unit === "window" ? examples : undefined;
}

/** What decides which examples a step draws. */
interface Drawing {
  readonly stream: TokenStream;
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
  readonly network: { readonly vocabularySize: number };
}

/** Writes out the minibatch of a step. */
export function drawMinibatch(
  { stream, seed, batchSize, network, ...setup }: Drawing,
  step: number,
): Minibatch {
  const examples = windowExamples(setup.examples);
  const count = drawnCount(examples, stream);
  const index = (row: number) => drawIndex(examples?.order ?? "random", seed, step, row, batchSize, count);
  if (examples?.targets !== "soft") {
    const positionOf = (i: number) => (examples ? (examples.sorted[i] ?? 0) : 1 + i);
    return { positions: Uint32Array.from({ length: batchSize }, (_, row) => positionOf(index(row))) };
  }
  const { table, teacher } = examples;
  const width = network.vocabularySize;
  const positions = new Uint32Array(batchSize);
  const targets = new Float32Array(batchSize * width);
  for (let row = 0; row < batchSize; row++) {
    const context = contextOf(table, index(row));
    const target = targets.subarray(row * width, (row + 1) * width);
    positions[row] = table.contexts[2 * context] ?? 0;
    writeTarget(table, stream, context, target);
    if (teacher) mixTeacher(teacher, context, step, target);
  }
  return { positions, targets };
}

/** Examples to draw from: N. */
export function drawnCount(examples: Examples | undefined, stream: TokenStream): number {
  if (!examples) return exampleCount(stream);
  return examples.targets === "hard" ? examples.sorted.length : examples.table.count;
}

/** The index of a row's example: into the sorted examples, or into the stream's for random and hard. */
export function drawIndex(
  order: Order,
  seed: number,
  step: number,
  row: number,
  batchSize: number,
  count: number,
): number {
  if (order === "random") return randomBelow(randomBits(seed, Stream.minibatch, step, row), count);
  const offset = randomBits(seed, Stream.minibatch, 0, 0);
  const drawn = Math.imul(step, batchSize) + row;
  return randomBelow((Math.imul(drawn, STRIDE) + offset) >>> 0, count);
}

/** The context of an example, by its index in sorted order. */
export function contextOf({ ranks }: ContextTable, index: number): number {
  const block = index >>> 5;
  const first = (ranks[2 * block + 1] ?? 0) & (0xffffffff >>> (31 - (index & 31)));
  return (ranks[2 * block] ?? 0) + bitCount(first) - 1;
}

/** Adds the target of a context to `out`, float32 [vocabulary] of zeros. */
function writeTarget(
  { contexts, pairs }: ContextTable,
  stream: TokenStream,
  context: number,
  out: Float32Array,
): void {
  const shares = new Float32Array(pairs.buffer);
  const end = contexts[2 * context + 3] ?? 0;
  let rest = 1;
  for (let pair = contexts[2 * context + 1] ?? 0; pair < end; pair++) {
    const share = shares[2 * pair + 1] ?? 0;
    out[pairs[2 * pair] ?? 0] = share;
    rest -= share;
  }
  out[stream[contexts[2 * context] ?? 0] ?? BOUNDARY] = rest;
}

/** Moves a target of a context towards the teacher's. */
export function mixTeacher(
  teacher: TeacherTargets,
  context: number,
  step: number,
  target: Float32Array,
): void {
  const weight = teacherWeight(teacher, step);
  for (const [token, share] of target.entries())
    target[token] = (1 - weight) * share + weight * (teacher.shares[context * target.length + token] ?? 0);
}

/** Bits that are set. */
function bitCount(bits: number): number {
  let x = bits - ((bits >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

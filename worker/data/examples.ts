/**
 * Which examples a step trains on, and what each one has to predict.
 *
 * An example is a position of the token stream: the context is the tokens before it, and its own token is the target.
 * Two settings change how examples are used:
 *
 * - `order`: `"random"` draws with replacement, as the lecture does. `"even"` walks through the examples sorted by
 *   context, in strides of the golden ratio. Each minibatch is then an even sample of all contexts, and hardly any
 *   example repeats before the others have had their turn.
 * - `targets`: `"hard"` is the example's own token. `"soft"` is the distribution of all tokens that follow the same
 *   context in the split. The expected gradient is the same, but without the noise of a single target.
 *
 * Examples are sorted by context, last token first, then the one before it, and so on; ties are sorted by target. So
 * equal contexts are neighbours, and similar ones are close.
 *
 * Every engine draws the same examples. There are N examples, `step` counts from 0, `row` is the row in the batch, and
 * all arithmetic is in unsigned 32 bits (mulhi is the high word of the 64-bit product):
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
 * If words have groups, the positions of group tokens are not examples. Random order with hard targets then needs
 * `sorted` as well: it lists the other positions in stream order, and `position = sorted[index]`.
 *
 * The tokens before `position` are the example's context. A hard target is the token at `position`. A soft target gives
 * each token in `pairs`, from index `contexts[2 context + 1]` to `contexts[2 context + 3]` (excluded), its share, and the
 * token at `position` the rest up to 1. A teacher with weight w changes the target to (1 - w) target + w teacher.
 */
import { MakemoreError } from "../../src/errors";
import { runToEnd, type Work } from "../../src/slices";
import { bitCount } from "./bitCount";
import { type ContextTable, contextTableWork, positionsWork, sortWork } from "./contexts";
import { exampleCount, type TokenStream } from "./dataset";
import { ngramWork } from "./ngram";
import { randomBelow, randomBits, Stream } from "./random";
import { BOUNDARY } from "./vocabulary";
import type { WordExamples } from "./wordExamples";

/** The order in which examples are drawn. */
export type Order = "even" | "random";

/** What an example has to predict. */
export type Targets = "soft" | "hard";

/** What is mixed into the soft targets, with a weight that falls during the training. */
export type Teacher = "ngram" | "none";

/**
 * The examples of a split, in the form in which an engine draws them, for a network that reads windows. (For a network
 * that reads words, see `WordExamples`.) Immutable. Random order with hard targets and no groups needs no table, so an
 * engine's setup then has no examples.
 */
export type Examples =
  | {
      readonly unit: "window";
      readonly targets: "hard";
      readonly order: Order;
      /**
       * Positions of the examples, u32 [N]. Sorted by context; for random order, in stream order.
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

/** The teacher's prediction for each context. */
export interface TeacherTargets {
  /** float32 [contexts, vocabulary]; each row adds up to 1. */
  readonly shares: Float32Array<ArrayBuffer>;
  /** Steps of the whole training; see `teacherWeight`. */
  readonly steps: number;
  /** The teacher's weight at the last step. */
  readonly end: number;
}

/** A minibatch of a network that reads windows. */
export interface Minibatch {
  /** Positions of the examples: the tokens before each are its context, and its token is the hard target. [batchSize] */
  readonly positions: Uint32Array<ArrayBuffer>;
  /** Soft targets, float32 [batchSize, vocabulary]; absent if they are hard. */
  readonly targets?: Float32Array<ArrayBuffer>;
}

/** The stride of even order: 2^32 times the fractional part of the golden ratio. */
export const STRIDE = 2654435769;

/** The teacher's weight at the first step. */
const TEACHER_START = 0.9;

/** Most bytes that the teacher's predictions may need. */
const MOST_TEACHER_BYTES = 2 ** 28;

/** The sizes of a network that the tables depend on. */
export interface NetworkSizes {
  readonly contextLength: number;
  /** Number of ids, including the boundary and the groups. */
  readonly vocabularySize: number;
  /** The first id of a group; equal to `vocabularySize` if there are no groups. */
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

/** Same as `prepareExamples`, in slices. */
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

/** Whether a teacher would stay within the memory limit. */
export function isTeachable(contexts: number, vocabularySize: number): boolean {
  return 4 * contexts * vocabularySize <= MOST_TEACHER_BYTES;
}

/** Throws `INVALID_OPTION` for a teacher that would need too much memory. */
export function checkTeacher(contexts: number, vocabularySize: number): void {
  const bytes = 4 * contexts * vocabularySize;
  if (!isTeachable(contexts, vocabularySize))
    throw new MakemoreError(
      "INVALID_OPTION",
      `train: teacher "ngram" needs ${Math.round(bytes / 1e6)} MB for these words; the limit is ${Math.round(MOST_TEACHER_BYTES / 1e6)}. Use teacher: "none", fewer words, or a shorter contextLength.`,
    );
}

/** The teacher of examples, if they have one. */
export function teacherOf(examples: Examples | WordExamples | undefined): TeacherTargets | undefined {
  return examples?.targets === "soft" ? examples.teacher : undefined;
}

/** The teacher's weight at a step. It falls linearly from 0.9 to `end`; 0 without a teacher. */
export function teacherWeight(teacher: TeacherTargets | undefined, step: number): number {
  if (!teacher) return 0;
  return TEACHER_START + (teacher.end - TEACHER_START) * Math.min(1, step / teacher.steps);
}

/** The examples, if they are for a network that reads windows; otherwise undefined. */
export function windowExamples(examples: Examples | WordExamples | undefined): Examples | undefined {
  return examples?.unit === "window" ? examples : undefined;
}

/** The part of an engine's setup that decides which examples a step draws. */
interface Drawing {
  readonly stream: TokenStream;
  readonly examples?: Examples | WordExamples;
  readonly seed: number;
  readonly batchSize: number;
  readonly network: { readonly vocabularySize: number };
}

/** Draws the minibatch of a step. */
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

/** The number of examples to draw from: N above. */
function drawnCount(examples: Examples | undefined, stream: TokenStream): number {
  if (!examples) return exampleCount(stream);
  return examples.targets === "hard" ? examples.sorted.length : examples.table.count;
}

/** Draws the example for a row: `index` above. */
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

/** The context of an example, given its index in sorted order. */
export function contextOf({ ranks }: ContextTable, index: number): number {
  const block = index >>> 5;
  const first = (ranks[2 * block + 1] ?? 0) & (0xffffffff >>> (31 - (index & 31)));
  return (ranks[2 * block] ?? 0) + bitCount(first) - 1;
}

/** Writes the soft target of a context to `out`, float32 [vocabulary], which must be all 0. */
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

/** Mixes the teacher's prediction into the target of a context. */
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

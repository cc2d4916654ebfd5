/**
 * Inside the SIMD engine. A training step walks up the tree and down again over *rows*: the distinct
 * inputs of a level in this minibatch.
 *
 * In a minibatch of names most places repeat others. Contexts are padded with boundaries, so the left
 * half of most of them is "....", and many names share their first letters. Equal inputs have equal
 * activations, so each level computes every distinct row once. It counts how many places share the
 * row, and weighs the row by this count in the statistics of BatchNorm1d and in the gradients. Each
 * neighbour that a FlattenConsecutive joins also multiplies each of its distinct rows once:
 *
 *     places      . . . e m m a     . . . . a v a      . . . . . . b      contexts of the batch
 *     rows        (..) (.e) (mm) … each pair once            level 1
 *                 (....) (..av) …  each four once            level 2
 *
 * The result equals the plain computation, to rounding. It is the same sharing that makes WaveNet a
 * convolution, across the batch instead of along the word.
 *
 * A step draws the batch (batch.ts), finds the rows of each level (sharing.ts), runs forward
 * (level.ts: rows.ts, matmul.ts, batchNorm.ts, activation.ts), and computes the loss and its gradient
 * (loss.ts). Going backward, it updates each tile of weights as soon as its gradient is known
 * (learn.ts, optimizer.ts). Channels are padded to a multiple of 8 with zeros that stay zero.
 */
import { Batch } from "./batch";
import { BatchNorm } from "./batchNorm";
import { Level } from "./level";
import { SoftTargets, softmax, subtractHard, subtractSoft } from "./loss";
import { allocate, padTo8 } from "./memory";
import { allocateParameter, descendAll, setFactors, useAdamW, useSGD } from "./optimizer";
import { Rows } from "./rows";

export { useAdamW, useSGD };
export * from "./words";

/** Placeholders, because a wasm global needs a value; `begin` sets these before anything reads them. */
let batch: Batch = changetype<Batch>(0);
let embedding: Rows = changetype<Rows>(0);
let logNormalizers: usize = 0;
let softTargets: SoftTargets | null = null;
let contextLength: i32 = 0;
let vocabulary: i32 = 0;
const levels: Level[] = [];

/** Allocates the token stream, u16 [length]. */
export function allocateStream(length: i32): usize {
  return allocate((<u64>length + 1) >> 1);
}

/** Allocates `count` numbers of four bytes that JavaScript reads or writes. */
export function allocateNumbers(count: i32): usize {
  return allocate(count);
}

/**
 * Makes the batch and the Embedding. Choose the optimiser before; call `addLevel` for each level after,
 * from the characters up.
 */
export function begin(
  stream: usize,
  streamLength: i32,
  batchSize: i32,
  context: i32,
  vocabularySize: i32,
  dimensions: i32,
): void {
  batch = new Batch(batchSize, stream, streamLength);
  contextLength = context;
  vocabulary = vocabularySize;
  const width = padTo8(dimensions);
  embedding = new Rows(
    context * batchSize,
    vocabularySize,
    width,
    allocateParameter(<u64>vocabularySize * width),
  );
  embedding.count = vocabularySize;
  embedding.rowStride = (<usize>width) << 2;
  embedding.groupStride = 16;
  logNormalizers = allocate(batchSize);
}

/** Sets the table of examples to draw from. @param sorted u32 [count]; 0 with soft targets */
export function drawExamples(even: bool, sorted: usize, count: i32): void {
  batch.even = even;
  batch.sorted = sorted;
  batch.count = count;
}

/** Switches to soft targets; see `SoftTargets`. @param ranks u32 [examples / 32, 2] */
export function useSoftTargets(ranks: usize, contexts: usize, pairs: usize, teacher: usize): void {
  batch.ranks = ranks;
  batch.contexts = contexts;
  softTargets = new SoftTargets(contexts, pairs, teacher, batch.size);
}

export function addLevel(fold: i32, fanOut: i32, biased: bool, tanh: bool): void {
  const below = levels.length ? levels[levels.length - 1].rows : embedding;
  levels.push(new Level(below, fold, fanOut, biased, tanh, batch.size));
}

/** Adds a BatchNorm1d to the last level. */
export function addBatchNorm(momentum: f32, epsilon: f32): void {
  const level = levels[levels.length - 1];
  level.norm = new BatchNorm(level.rows, momentum, epsilon);
}

/** Address of each tensor; 0 if there is none. */
export function embeddingAddress(): usize {
  return embedding.values;
}
export function weightAddress(level: i32): usize {
  return levels[level].weight;
}
export function biasAddress(level: i32): usize {
  return levels[level].bias;
}
export function gammaAddress(level: i32): usize {
  const norm = levels[level].norm;
  return norm ? norm.gamma : 0;
}
export function betaAddress(level: i32): usize {
  const norm = levels[level].norm;
  return norm ? norm.beta : 0;
}
export function runningMeanAddress(level: i32): usize {
  const norm = levels[level].norm;
  return norm ? norm.runningMean : 0;
}
export function runningVarianceAddress(level: i32): usize {
  const norm = levels[level].norm;
  return norm ? norm.runningVariance : 0;
}
/** Address at which `train` reads the caller's positions, u32 [batchSize]. */
export function positionsAddress(): usize {
  return batch.positions;
}

/** Address at which `predict` reads contexts, u32 [contextLength, batchSize]. */
export function contextsAddress(): usize {
  return embedding.at;
}

/** Updates the transposed weights. Call it after JavaScript has written weights. */
export function refresh(): void {
  for (let i = 0; i < levels.length; i++) levels[i].refresh();
}

/**
 * Trains.
 *
 * @param factors the table of `stepFactors` for these steps
 * @param teacherWeights f32 [steps]
 * @param losses output, f32 [steps]
 * @param given use the batch at `positionsAddress`, with hard targets, instead of drawing one
 */
export function train(
  firstStep: u32,
  steps: i32,
  seed: u32,
  factors: usize,
  teacherWeights: usize,
  losses: usize,
  given: bool,
): void {
  for (let i = 0; i < steps; i++) {
    if (!given) batch.draw(seed, firstStep + i);
    const at = (<usize>i) << 2;
    setFactors(factors + (at << 2));
    store<f32>(losses + at, step(given ? null : softTargets, load<f32>(teacherWeights + at)));
  }
}

function step(soft: SoftTargets | null, teacherWeight: f32): f32 {
  const top = levels.length - 1,
    head = levels[top];
  batch.read(embedding.at, contextLength, soft != null);
  for (let i = 0; i <= top; i++) levels[i].forward();
  const rows = head.rows,
    shares = head.sharing.shares;
  softmax(rows, shares, vocabulary, batch.size, logNormalizers);
  const loss = soft
    ? subtractSoft(rows, shares, vocabulary, batch, soft, teacherWeight, logNormalizers)
    : subtractHard(rows, rows.at, batch.targets, batch.size, logNormalizers);
  for (let i = top; i >= 0; i--) {
    const level = levels[i],
      below = level.below;
    memory.fill(below.gradient, 0, (<usize>(below.count * below.width)) << 2);
    level.backward();
  }
  const bytes = (<usize>(embedding.count * embedding.width)) << 2;
  descendAll(embedding.values, bytes, embedding.gradient);
  return loss;
}

/**
 * Runs forward only, for a network without BatchNorm1d, because predictions must not use batch statistics.
 *
 * @param logits output, f32 [batchSize, vocabulary]
 */
export function predict(logits: usize): void {
  for (let i = 0; i < levels.length; i++) levels[i].forward();
  const rows = levels[levels.length - 1].rows;
  for (let i: usize = 0; i < <usize>batch.size; i++) {
    const from = rows.values + (<usize>load<u32>(rows.at + (i << 2)) << 4);
    for (let c: usize = 0; c < <usize>vocabulary; c++, logits += 4)
      store<f32>(logits, load<f32>(from + (c >> 2) * rows.groupStride + ((c & 3) << 2)));
  }
}

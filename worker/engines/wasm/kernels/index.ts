/**
 * The SIMD engine, inside. Think of a training step as a walk up the tree and down again over
 * *rows*: the different things that a level sees in this minibatch.
 *
 * In a minibatch of names most places are repeats. Contexts are padded with boundaries, so the
 * left half of most of them is "....", and the same first letters come again and again. Equal
 * inputs have equal activations, so each level computes every different row once, counts how many
 * places share it (the statistics of BatchNorm1d and the gradients weigh it by that), and each
 * neighbour of a FlattenConsecutive multiplies every different row that stands there once:
 *
 *     places      . . . e m m a     . . . . a v a      . . . . . . b      contexts of the batch
 *     rows        (..) (.e) (mm) … each pair once            level 1
 *                 (....) (..av) …  each four once            level 2
 *
 * The result is that of the plain computation, to rounding: this is the sharing that makes
 * WaveNet a convolution, found in the batch instead of in the word.
 *
 * A step: draw the batch (batch.ts), find the rows of each level (sharing.ts), forward (level.ts:
 * rows.ts, matmul.ts, batchNorm.ts, activation.ts), the loss and its gradient (loss.ts), then
 * backward, where each tile of weights learns as soon as its gradient is known (learn.ts,
 * optimizer.ts). Channels are padded to a multiple of 8 with zeros that stay zeros.
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

/** A wasm global cannot be without a value; `begin` sets these before anything reads them. */
let batch: Batch = changetype<Batch>(0);
let embedding: Rows = changetype<Rows>(0);
let logNormalizers: usize = 0;
let softTargets: SoftTargets | null = null;
let contextLength: i32 = 0;
let vocabulary: i32 = 0;
const levels: Level[] = [];

/** Room for the token stream, u16 [length]. */
export function allocateStream(length: i32): usize {
  return allocate((<u64>length + 1) >> 1);
}

/** Room for `count` numbers of four bytes that JavaScript reads or writes. */
export function allocateNumbers(count: i32): usize {
  return allocate(count);
}

/** After the optimiser is chosen: the batch and the Embedding; `addLevel` follows, from the characters up. */
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

/** Draws from a table of examples. @param sorted u32 [count]; 0 with soft targets */
export function drawExamples(even: bool, sorted: usize, count: i32): void {
  batch.even = even;
  batch.sorted = sorted;
  batch.count = count;
}

/** Trains on soft targets; see `SoftTargets`. @param ranks u32 [examples / 32, 2] */
export function useSoftTargets(ranks: usize, contexts: usize, pairs: usize, teacher: usize): void {
  batch.ranks = ranks;
  batch.contexts = contexts;
  softTargets = new SoftTargets(contexts, pairs, teacher, batch.size);
}

export function addLevel(fold: i32, fanOut: i32, biased: bool, tanh: bool): void {
  const below = levels.length ? levels[levels.length - 1].rows : embedding;
  levels.push(new Level(below, fold, fanOut, biased, tanh, batch.size));
}

/** Gives the last level a BatchNorm1d. */
export function addBatchNorm(momentum: f32, epsilon: f32): void {
  const level = levels[levels.length - 1];
  level.norm = new BatchNorm(level.rows, momentum, epsilon);
}

/** Where a level's tensor is; 0 where it has none. */
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
/** Where `train` expects given positions, u32 [batchSize]. */
export function positionsAddress(): usize {
  return batch.positions;
}

/** Where `predict` expects contexts, u32 [contextLength, batchSize]. */
export function contextsAddress(): usize {
  return embedding.at;
}

/** To be called when weights were written from outside. */
export function refresh(): void {
  for (let i = 0; i < levels.length; i++) levels[i].refresh();
}

/**
 * Trains.
 *
 * @param factors the table of `stepFactors` for these steps
 * @param teacherWeights f32 [steps]
 * @param losses f32 [steps], to be filled in
 * @param given the batch is the one at `positionsAddress` instead of being drawn; its targets are hard
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
 * Forward only, for a network without BatchNorm1d: the statistics of a batch have no place here.
 *
 * @param logits f32 [batchSize, vocabulary], to be filled in
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

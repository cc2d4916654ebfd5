/**
 * Trains networks that read words. ../../plan.ts compiles a network once into a plan: a list of kernels, each with
 * its addresses. A step runs the list forward, computes the loss, and runs the list backward, which also updates the
 * weights. trie.ts says what a step computes once for several words.
 *
 * Values are in groups of four channels, [channels / 4][rows][4]. Channels are padded to a multiple of 8 with zeros
 * that stay zero, and rows to a multiple of 4.
 */
import { Batch } from "../batch";
import { transpose } from "../learn";
import { softmax, subtractHard } from "../loss";
import { allocate } from "../memory";
import { allocateParameter, setFactors } from "../optimizer";
import { Rows } from "../rows";
import { Attention } from "./attention";
import { CausalMean } from "./causalMean";
import { Embedding, Expand, PositionEmbedding } from "./embedding";
import { gruBackward, gruForward } from "./gru";
import { Linear } from "./linear";
import { SoftWordTargets } from "./loss";
import { lstmBackward, lstmForward } from "./lstm";
import { Norm } from "./norm";
import { Activation, ResidualEnd, ResidualStart } from "./pointwise";
import { Cell } from "./recurrent";
import { rnnBackward, rnnForward } from "./rnn";
import { nodeCapacity, pathCapacity, plant, TOKENS, Trie, trie } from "./trie";

export { nodeCapacity, pathCapacity };

/** Bytes per kernel in the plan; the kernel's class names the fields. */
const RECORD: usize = 96;

/** Kernel codes, as in ../../plan.ts. */
const EMBEDDING: u32 = 0, EXPAND: u32 = 1, POSITION_EMBEDDING: u32 = 2, LINEAR: u32 = 3, NORM: u32 = 4, TANH: u32 = 5;
const RELU: u32 = 6, GELU: u32 = 7, RESIDUAL_START: u32 = 8, RESIDUAL_END: u32 = 9, CAUSAL_MEAN: u32 = 10;
const ATTENTION: u32 = 11, RNN: u32 = 12, GRU: u32 = 13, LSTM: u32 = 14;

/** Placeholders; `beginWords` and `setPlan` set these before anything reads them. */
let batch: Batch = changetype<Batch>(0);
let wordStarts: usize = 0;
let logits: Rows = changetype<Rows>(0);
let logitSpace: u32 = 0;
let vocabulary: i32 = 0;
let logNormalizers: usize = 0;
let soft: SoftWordTargets | null = null;
let plan: usize = 0;
let planEnd: usize = 0;

/** Allocates a trainable tensor. Choose the optimiser before. */
export function allocateTensor(count: i32): usize {
  return allocateParameter(count);
}

/**
 * @param stream address of the tokens, u16
 * @param words number of words
 * @param starts position of each word's first token, u32 [words]
 * @param longest characters of the longest word
 */
export function beginWords(
  stream: usize, starts: usize, words: i32, even: bool,
  batchSize: i32, longest: i32, vocabularySize: i32, byLevel: bool, hasPaths: bool,
): void {
  // Draws words instead of examples.
  batch = new Batch(batchSize, stream, words + 1);
  batch.even = even;
  batch.sorted = starts;
  wordStarts = starts;
  vocabulary = vocabularySize;
  plant(new Trie(batchSize, longest, vocabularySize, byLevel, hasPaths));
}

export function useSoftWordTargets(prefixOf: usize, firstPair: usize, pairs: usize, teacher: usize): void {
  soft = new SoftWordTargets(prefixOf, firstPair, pairs, teacher, batch.stream);
}

/** Sets which value holds the logits, and returns the address of their gradient. */
export function setLogits(values: usize, space: u32, capacity: i32, width: i32): usize {
  logits = new Rows(1, capacity, width, values);
  logitSpace = space;
  logNormalizers = allocate(capacity);
  return logits.gradient;
}

export function setPlan(records: usize, count: i32): void {
  plan = records;
  planEnd = records + <usize>count * RECORD;
}

/** Address at which `trainWords` reads the caller's word starts, u32 [batchSize]. */
export function wordsAddress(): usize {
  return batch.positions;
}

/** Updates the transposed weights. Call it after JavaScript has written weights. */
export function refreshPlan(): void {
  for (let p = plan; p < planEnd; p += RECORD) {
    const code = load<u32>(p);
    if (code == LINEAR) changetype<Linear>(p).refresh();
    else if (code >= RNN) {
      const cell = changetype<Cell>(p);
      transpose(cell.weight, cell.transposed, cell.width, code == GRU ? 2 * cell.width : cell.gateWidth);
      if (code == GRU) transpose(cell.a, cell.b, cell.width, cell.width);
    }
  }
}

function forward(): void {
  for (let p = plan; p < planEnd; p += RECORD) {
    switch (load<u32>(p)) {
      case EMBEDDING: changetype<Embedding>(p).forward(); break;
      case EXPAND: changetype<Expand>(p).forward(); break;
      case POSITION_EMBEDDING: changetype<PositionEmbedding>(p).forward(); break;
      case LINEAR: changetype<Linear>(p).forward(); break;
      case NORM: changetype<Norm>(p).forward(); break;
      case TANH: changetype<Activation>(p).tanh(); break;
      case RELU: changetype<Activation>(p).relu(); break;
      case GELU: changetype<Activation>(p).gelu(); break;
      case RESIDUAL_END: changetype<ResidualEnd>(p).forward(); break;
      case CAUSAL_MEAN: changetype<CausalMean>(p).forward(); break;
      case ATTENTION: changetype<Attention>(p).forward(); break;
      case RNN: rnnForward(changetype<Cell>(p)); break;
      case GRU: gruForward(changetype<Cell>(p)); break;
      case LSTM: lstmForward(changetype<Cell>(p)); break;
    }
  }
}

function backward(): void {
  for (let p = planEnd - RECORD; p >= plan; p -= RECORD) {
    switch (load<u32>(p)) {
      case EMBEDDING: changetype<Embedding>(p).backward(); break;
      case EXPAND: changetype<Expand>(p).backward(); break;
      case POSITION_EMBEDDING: changetype<PositionEmbedding>(p).backward(); break;
      case LINEAR: changetype<Linear>(p).backward(); break;
      case NORM: changetype<Norm>(p).backward(); break;
      case TANH: changetype<Activation>(p).tanhBackward(); break;
      case RELU: changetype<Activation>(p).reluBackward(); break;
      case GELU: changetype<Activation>(p).geluBackward(); break;
      case RESIDUAL_START: changetype<ResidualStart>(p).backward(); break;
      case CAUSAL_MEAN: changetype<CausalMean>(p).backward(); break;
      case ATTENTION: changetype<Attention>(p).backward(); break;
      case RNN: rnnBackward(changetype<Cell>(p)); break;
      case GRU: gruBackward(changetype<Cell>(p)); break;
      case LSTM: lstmBackward(changetype<Cell>(p)); break;
    }
  }
}

/**
 * Trains.
 *
 * @param factors the table of `stepFactors` for these steps
 * @param teacherWeights f32 [steps]
 * @param losses output, f32 [steps]
 * @param given use the words at `wordsAddress`, with hard targets, instead of drawing some
 */
export function trainWords(
  firstStep: u32, steps: i32, seed: u32, factors: usize, teacherWeights: usize, losses: usize, given: bool,
): void {
  for (let i = 0; i < steps; i++) {
    if (!given) batch.draw(seed, firstStep + i);
    const at = (<usize>i) << 2;
    setFactors(factors + (at << 2));
    trie.build(batch.positions, batch.stream);
    forward();
    store<f32>(losses + at, loss(given, load<f32>(teacherWeights + at)));
    backward();
  }
}

function loss(hard: bool, teacherWeight: f32): f32 {
  logits.resize(trie.rows(logitSpace));
  softmax(logits, trie.sharesOf(logitSpace), vocabulary, trie.places, logNormalizers);
  const targets = soft;
  if (targets && !hard) return targets.subtract(logits, logitSpace, vocabulary, teacherWeight, logNormalizers);
  return subtractHard(logits, rowsOfPlaces(), trie.targets, trie.places, logNormalizers);
}

/** Address of each place's row of logits. */
function rowsOfPlaces(): usize {
  if (logitSpace == TOKENS)
    for (let at = trie.at, end = at + ((<usize>trie.places) << 2); at < end; at += 4)
      store<u32>(at, load<u32>(trie.tokenRows + ((<usize>load<u32>(at)) << 2)));
  return trie.at;
}

/**
 * Runs forward only, for the words at `wordsAddress`. Each takes `time` + 1 tokens of the stream, boundary included.
 *
 * @param out output, f32 [batchSize, time, vocabulary]; only the words' places are written
 */
export function predictWords(out: usize, time: i32): void {
  trie.build(batch.positions, batch.stream);
  forward();
  const stride = (<usize>trie.rows(logitSpace)) << 4;
  rowsOfPlaces();
  for (let place: usize = 0; place < (<usize>trie.places) << 2; place += 4) {
    // Place k of row w predicts position w (time + 1) + 1 + k.
    const position = load<u32>(trie.targetPositions + place) - 1;
    let to = out + ((<usize>(position - position / (time + 1)) * <usize>vocabulary) << 2);
    const from = logits.values + ((<usize>load<u32>(trie.at + place)) << 4);
    for (let c: usize = 0; c < <usize>vocabulary; c++, to += 4)
      store<f32>(to, load<f32>(from + (c >> 2) * stride + ((c & 3) << 2)));
  }
}

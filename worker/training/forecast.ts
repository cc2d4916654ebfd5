/**
 * Evaluates a model while it trains: its loss on the validation split, a few samples, and the share of samples that
 * are copies of listed words. All of it runs on a `Predictor`, so it fetches no file.
 */
import { inSlices, turns } from "../../src/slices";
import type { Losses } from "../../src/types";
import { commonSuffix, sortWork } from "../data/contexts";
import {
  type Dataset,
  exampleCount,
  longestOf,
  readContext,
  type TokenStream,
  trainingExamples,
  wordStart,
} from "../data/dataset";
import { wordSets } from "../data/listed";
import { isReadable, normalizeWord } from "../data/normalization";
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY } from "../data/vocabulary";
import type { Predictor, PredictorFactory } from "../engines/predictor";
import { Chooser } from "../model/chooser";
import type { Network } from "../model/network";
import type { Checkpoint } from "./checkpoint";
import { Watch } from "./watch";

/** Examples per estimate: enough to compare, few enough to cost little. */
const ESTIMATE_EXAMPLES = 1024;
/** Maximum number of validation examples for the reported loss. */
const VALIDATION_EXAMPLES = 32_768;
/** Samples for counting copies. */
const SAMPLES = 1000;
/** Maximum time between turns of the event loop, ms. */
const TURN_MS = 20;
/** Maximum length of a sampled word, in characters: the default of `sample`. */
const MAX_LENGTH = 100;

export class Forecast {
  readonly #network: Network;
  readonly #dataset: Dataset;
  readonly #open: () => Promise<Predictor>;
  #predictor: Promise<Predictor> | undefined;

  /**
   * Opens no predictor yet.
   *
   * @param batchSize of the training; limits the predictor's memory to that of the training
   */
  constructor(open: PredictorFactory, network: Network, dataset: Dataset, batchSize: number) {
    this.#network = network;
    this.#dataset = dataset;
    this.#open = () => open(network, batchSize);
  }

  /**
   * Makes a watch over a training, if its recipe keeps the best weights and there are validation words.
   *
   * @param before the watch of the training that this one resumes
   */
  watch({ recipe, step }: Checkpoint, before?: Watch): Watch | undefined {
    const { validation, stats } = this.#dataset;
    if (!recipe.keepBest || validation.length === 0) return undefined;
    const options = {
      examples: this.#network.example === "word" ? stats.split.train : trainingExamples(this.#dataset),
      batchSize: recipe.batchSize,
      patience: recipe.patience,
      estimate: (at: Checkpoint) => this.#loss(at, validation, ESTIMATE_EXAMPLES),
    };
    return new Watch(options, step, before);
  }

  /** Computes the mean cross entropy on the validation split, nats per character. */
  validation(checkpoint: Checkpoint): Promise<number> {
    return this.#loss(checkpoint, this.#dataset.validation, VALIDATION_EXAMPLES);
  }

  /** Estimates the mean cross entropy on the training split quickly, nats per character. */
  training(checkpoint: Checkpoint): Promise<number> {
    return this.#loss(checkpoint, this.#dataset.train, ESTIMATE_EXAMPLES);
  }

  /**
   * Computes the loss on the validation split, and on equally many examples of the training split, to stay quick.
   *
   * @param stopped called between batches; once it returns true, the means cover only what was read so far
   */
  async losses(
    checkpoint: Checkpoint,
    stopped: () => boolean,
  ): Promise<Pick<Losses, "train" | "validation">> {
    const predictor = await this.#predict(checkpoint);
    const { train, validation } = this.#dataset;
    const loss = (stream: TokenStream) =>
      meanLoss(predictor, this.#network, stream, Math.max(1, exampleCount(validation)), stopped);
    return { train: await loss(train), validation: await loss(validation) };
  }

  /** Computes the share of 1,000 samples at temperature 1 that are words of the list, 0 to 1. */
  async copies(checkpoint: Checkpoint): Promise<number> {
    const predictor = await this.#predict(checkpoint);
    return shareOfCopies(predictor, this.#network, this.#dataset, SAMPLES, checkpoint.recipe.seed);
  }

  /**
   * Samples words at temperature 1: those of `sample(count, { seed })`, to rounding, except those that would change
   * when read back as a word of a list.
   */
  async samples(
    checkpoint: Checkpoint,
    count: number,
    seed: number,
    stopped: () => boolean,
  ): Promise<string[]> {
    const predictor = await this.#predict(checkpoint);
    const { example, contextLength } = this.#network;
    // A model that reads words also reads the boundary before the word.
    const maxLength = example === "word" ? Math.min(MAX_LENGTH, contextLength - 1) : MAX_LENGTH;
    const words: string[] = Array.from({ length: count }, () => "");
    const sampling = { count, seed, maxLength, stopped };
    await walkWords(predictor, this.#network, sampling, (tokens, number) => {
      words[number] = normalizeWord(checkpoint.vocabulary.decode(tokens));
    });
    return words.filter((word) => word !== "" && isReadable(word));
  }

  /** Frees all memory. */
  dispose(): void {
    this.#predictor?.then((predictor) => predictor.dispose()).catch(() => {});
  }

  async #loss(checkpoint: Checkpoint, stream: TokenStream, examples: number): Promise<number> {
    const predictor = await this.#predict(checkpoint);
    return meanLoss(predictor, this.#network, stream, examples);
  }

  /** Opens the predictor on first use. */
  async #predict({ parameters }: Checkpoint): Promise<Predictor> {
    this.#predictor ??= this.#open();
    const predictor = await this.#predictor;
    predictor.load(parameters);
    return predictor;
  }
}

/** The part of a `Network` that is needed to read words with it. */
type Reading = Pick<Network, "example" | "contextLength" | "vocabularySize" | "firstGroup">;

/**
 * Computes the mean cross entropy of a model on the first `examples` characters of a stream, nats per character; NaN
 * if there are none. A model that reads words reads the last word to its end.
 *
 * @param predictor with the model's parameters loaded
 * @param stopped called between batches; once it returns true, the mean covers only what was read so far
 */
export async function meanLoss(
  predictor: Predictor,
  network: Reading,
  stream: TokenStream,
  examples: number,
  stopped: () => boolean = () => false,
): Promise<number> {
  const { example, contextLength, vocabularySize, firstGroup } = network;
  const end = Math.min(stream.length, examples + 1);
  const parts =
    example === "word"
      ? wordParts(stream, end, predictor.batchSize, network)
      : windowParts(
          stream,
          await inSlices(sortWork(stream.subarray(0, end), contextLength, vocabularySize, firstGroup)),
          predictor.batchSize,
          network,
        );
  const turn = turns(TURN_MS);
  let sum = 0;
  let count = 0;
  for (const { tokens, time, rows } of parts) {
    const logits = await predictor.predict(tokens, time);
    for (const [row, positions] of rows) {
      // Leave out the group tokens, which only come before a word.
      const values = logits.subarray(row * vocabularySize, row * vocabularySize + firstGroup);
      const total = logSumExp(values);
      for (const position of positions) sum += total - (values[stream[position] ?? BOUNDARY] ?? Number.NaN);
      count += positions.length;
    }
    await turn();
    if (stopped()) break;
  }
  return sum / count;
}

/** Input of one `predict` call, and the targets. */
interface Part {
  /** [rows, time] */
  readonly tokens: Uint32Array;
  readonly time: number;
  /** Rows of the logits, and the positions that each predicts. */
  readonly rows: readonly (readonly [row: number, positions: readonly number[]])[];
}

/** Yields the contexts of some positions, each context once. @param sorted by context: see `sortWork` */
function* windowParts(
  stream: TokenStream,
  sorted: Uint32Array,
  batchSize: number,
  { contextLength: time }: Reading,
): Generator<Part> {
  for (let next = 0; next < sorted.length; ) {
    const tokens = new Uint32Array(batchSize * time);
    const rows: [row: number, positions: number[]][] = [];
    while (next < sorted.length && rows.length < batchSize) {
      const first = sorted[next] ?? 0;
      const positions: number[] = [];
      do positions.push(sorted[next++] ?? 0);
      while (next < sorted.length && commonSuffix(stream, first, sorted[next] ?? 0, time) === time);
      readContext(stream, first, time, tokens, rows.length * time);
      rows.push([rows.length, positions]);
    }
    yield { tokens: tokens.subarray(0, rows.length * time), time, rows };
  }
}

/** Yields the words that begin before `end`. */
function* wordParts(
  stream: TokenStream,
  end: number,
  batchSize: number,
  { firstGroup }: Reading,
): Generator<Part> {
  for (let at = 1; at < end; ) {
    const words: (readonly [start: number, places: number])[] = [];
    for (; at < end && words.length < batchSize; ) {
      const start = wordStart(stream, at, firstGroup);
      at = stream.indexOf(BOUNDARY, start) + 1;
      words.push([start, at - start]);
    }
    const time = Math.max(...words.map(([, places]) => places));
    const tokens = new Uint32Array(words.length * time);
    for (const [row, [first, places]] of words.entries())
      tokens.set(stream.subarray(first - 1, first - 1 + places), row * time);
    const rows = words.flatMap(([first, length], row) =>
      Array.from({ length }, (_, k) => [row * time + k, [first + k]] as const),
    );
    yield { tokens, time, rows };
  }
}

function logSumExp(values: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of values) highest = Math.max(highest, value);
  let sum = 0;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}

/**
 * Computes the share of samples at temperature 1 that are words of the list, 0 to 1. The samples are those of
 * `sample(samples, { seed })`, to rounding.
 *
 * @param predictor with the model's parameters loaded
 */
export async function shareOfCopies(
  predictor: Predictor,
  network: Reading,
  dataset: Dataset,
  samples: number,
  seed: number,
): Promise<number> {
  const sets = await wordSets(dataset);
  // Stop words that are longer than the longest of the list: they cannot be copies.
  const longest = longestOf(dataset).length;
  let copies = 0;
  const sampling = { count: samples, seed, maxLength: Math.min(MAX_LENGTH, longest + 1) };
  await walkWords(predictor, network, sampling, (tokens) => {
    if (sets.some((set) => set.has(tokens))) copies++;
  });
  return copies / samples;
}

/** Options of `walkWords`. */
interface WordWalk {
  readonly count: number;
  readonly seed: number;
  /** A word ends when it reaches this length. */
  readonly maxLength: number;
  /** Called between steps; once it returns true, sampling stops and unfinished words are dropped. */
  readonly stopped?: () => boolean;
}

/**
 * Samples words at temperature 1, all in parallel, one character per step. With groups, the words alternate
 * between the groups.
 *
 * @param onEnd called with each word when it ends, and its index from 0; words whose logits are not finite are left out
 */
async function walkWords(
  predictor: Predictor,
  { example, contextLength, vocabularySize, firstGroup }: Reading,
  { count, seed, maxLength, stopped = () => false }: WordWalk,
  onEnd: (tokens: readonly number[], number: number) => void,
): Promise<void> {
  const chooser = new Chooser(firstGroup, { temperature: 1, topK: firstGroup, topP: 1 });
  const groups = vocabularySize - firstGroup;
  const turn = turns(TURN_MS);
  let walks = Array.from({ length: count }, (_, number) => ({ number, tokens: [] as number[] }));
  for (let length = 0; length < maxLength && walks.length > 0; length++) {
    const going: typeof walks = [];
    for (let first = 0; first < walks.length; first += predictor.batchSize) {
      if (stopped()) return;
      const batch = walks.slice(first, first + predictor.batchSize);
      // The boundary and the characters so far; for windows, the last `contextLength` tokens, with boundaries before a
      // short word. A group's token replaces the last boundary.
      const time = example === "word" ? length + 1 : contextLength;
      const read = new Uint32Array(batch.length * time);
      for (const [row, { tokens, number }] of batch.entries())
        for (let i = 0; i < time; i++) {
          const start = groups > 0 && i === time - length - 1 ? firstGroup + (number % groups) : BOUNDARY;
          read[row * time + i] = tokens[length - time + i] ?? start;
        }
      const logits = await predictor.predict(read, time);
      for (const [i, walk] of batch.entries()) {
        const { number, tokens } = walk;
        const row = example === "word" ? (i + 1) * time - 1 : i;
        const unit = randomUnit(randomBits(seed, Stream.sampling, number, length));
        // A sampled word has at least one character.
        const id = chooser.choose(logits, row * vocabularySize, unit, length > 0);
        if (id > BOUNDARY) tokens.push(id);
        if (id === BOUNDARY || tokens.length === maxLength) onEnd(tokens, number);
        else if (id > BOUNDARY) going.push(walk);
      }
      await turn();
    }
    walks = going;
  }
}

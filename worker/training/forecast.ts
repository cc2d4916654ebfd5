/**
 * What a model makes of words while it trains: its loss on the validation split, and how much of what it
 * samples is copied from the list. All of it runs on a `Predictor`, so no file is fetched for it.
 */
import { inSlices, nextTask } from "../../src/slices";
import { type Dataset, exampleCount, readContext, type TokenStream, WordSet } from "../data/dataset";
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY } from "../data/vocabulary";
import type { Predictor, PredictorFactory } from "../engines/predictor";
import { Chooser } from "../model/chooser";
import type { Network } from "../model/network";
import type { Checkpoint } from "./checkpoint";
import { Watch } from "./watch";

/** Validation examples of an estimate: enough to compare, few enough to cost little. */
const ESTIMATE_EXAMPLES = 1024;
/** Validation examples of the loss that is reported, at most. */
const VALIDATION_EXAMPLES = 32_768;
/** Samples of which the copies are counted. */
const SAMPLES = 1000;
/** Milliseconds between turns of the event loop. */
const TURN_MS = 20;
/** Longest word that `copies` follows, in characters. */
const MAX_LENGTH = 100;

export class Forecast {
  readonly #network: Network;
  readonly #dataset: Dataset;
  readonly #open: () => Promise<Predictor>;
  #predictor: Promise<Predictor> | undefined;

  /**
   * Opens nothing yet.
   *
   * @param batchSize of the training: a predictor never takes more memory than that
   */
  constructor(open: PredictorFactory, network: Network, dataset: Dataset, batchSize: number) {
    this.#network = network;
    this.#dataset = dataset;
    this.#open = () => open(network, batchSize);
  }

  /**
   * A watch over a training, if its recipe keeps the best weights and there are words to judge by.
   *
   * @param before the watch of the training that this one goes on from
   */
  watch({ recipe, step }: Checkpoint, before?: Watch): Watch | undefined {
    const { train, validation } = this.#dataset;
    if (!recipe.keepBest || validation.length === 0) return undefined;
    const options = {
      examples: exampleCount(train),
      batchSize: recipe.batchSize,
      patience: recipe.patience,
      estimate: (at: Checkpoint) => this.#loss(at, ESTIMATE_EXAMPLES),
    };
    return new Watch(options, step, before);
  }

  /** Mean cross entropy on the validation split, nats per character. */
  validation(checkpoint: Checkpoint): Promise<number> {
    return this.#loss(checkpoint, VALIDATION_EXAMPLES);
  }

  /** Share of 1,000 samples at temperature 1 that are words of the list, 0 to 1. */
  async copies(checkpoint: Checkpoint): Promise<number> {
    const predictor = await this.#predict(checkpoint);
    return shareOfCopies(predictor, this.#network, this.#dataset, SAMPLES, checkpoint.recipe.seed);
  }

  /** Gives back all memory. */
  dispose(): void {
    this.#predictor?.then((predictor) => predictor.dispose()).catch(() => {});
  }

  async #loss(checkpoint: Checkpoint, examples: number): Promise<number> {
    const predictor = await this.#predict(checkpoint);
    return meanLoss(predictor, this.#network, this.#dataset.validation, examples);
  }

  /** Opened once, at the first question. */
  async #predict({ parameters }: Checkpoint): Promise<Predictor> {
    this.#predictor ??= this.#open();
    const predictor = await this.#predictor;
    predictor.load(parameters);
    return predictor;
  }
}

/**
 * Mean cross entropy of a model on the first `examples` examples of a stream, nats per character;
 * NaN if there are none.
 *
 * @param predictor with the model's parameters loaded
 */
export async function meanLoss(
  predictor: Predictor,
  { contextLength, vocabularySize }: { contextLength: number; vocabularySize: number },
  stream: TokenStream,
  examples: number,
): Promise<number> {
  const end = Math.min(stream.length, examples + 1);
  const contexts = new Uint32Array(predictor.batchSize * contextLength);
  const turn = turns();
  let sum = 0;
  for (let position = 1; position < end; position += predictor.batchSize) {
    const count = Math.min(predictor.batchSize, end - position);
    for (let i = 0; i < count; i++)
      readContext(stream, position + i, contextLength, contexts, i * contextLength);
    const logits = await predictor.predict(contexts.subarray(0, count * contextLength));
    for (let i = 0; i < count; i++) {
      const row = logits.subarray(i * vocabularySize, (i + 1) * vocabularySize);
      sum += logSumExp(row) - (row[stream[position + i] ?? BOUNDARY] ?? Number.NaN);
    }
    await turn();
  }
  return sum / (end - 1);
}

function logSumExp(values: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of values) highest = Math.max(highest, value);
  let sum = 0;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}

/**
 * The share of samples at temperature 1 that are words of the list, from 0 to 1. They are the words
 * that `sample(samples, { seed })` gives, to rounding.
 *
 * @param predictor with the model's parameters loaded
 */
export async function shareOfCopies(
  predictor: Predictor,
  { contextLength, vocabularySize }: { contextLength: number; vocabularySize: number },
  { train, validation, test }: Dataset,
  samples: number,
  seed: number,
): Promise<number> {
  const sets = await Promise.all([train, validation, test].map((stream) => inSlices(WordSet.work(stream))));
  // A longer word than the longest of the list is no copy, whatever follows.
  const longest = Math.min(MAX_LENGTH, Math.max(...[train, validation, test].map(longestWord)));
  const chooser = new Chooser(vocabularySize, { temperature: 1, topK: vocabularySize, topP: 1 });
  const contexts = new Uint32Array(predictor.batchSize * contextLength);
  const turn = turns();
  let walks = Array.from({ length: samples }, (_, number) => ({ number, tokens: [] as number[] }));
  let copies = 0;
  for (let length = 0; length <= longest && walks.length > 0; length++) {
    const going: typeof walks = [];
    for (let first = 0; first < walks.length; first += predictor.batchSize) {
      const batch = walks.slice(first, first + predictor.batchSize);
      for (const [row, { tokens }] of batch.entries())
        for (let i = 0; i < contextLength; i++)
          contexts[row * contextLength + i] = tokens[tokens.length - contextLength + i] ?? BOUNDARY;
      const logits = await predictor.predict(contexts.subarray(0, batch.length * contextLength));
      for (const [row, walk] of batch.entries()) {
        const unit = randomUnit(randomBits(seed, Stream.sampling, walk.number, length));
        // A sample has at least one character.
        const id = chooser.choose(logits, row * vocabularySize, unit, length > 0);
        if (id > BOUNDARY) {
          walk.tokens.push(id);
          going.push(walk);
        } else if (id === BOUNDARY && sets.some((set) => set.has(walk.tokens))) copies++;
      }
      await turn();
    }
    walks = going;
  }
  return copies / samples;
}

/** In characters. */
function longestWord(stream: TokenStream): number {
  let longest = 0;
  for (let start = 1; start < stream.length; ) {
    const end = stream.indexOf(BOUNDARY, start);
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}

/** Gives the event loop a turn whenever the last one was `TURN_MS` ago. */
function turns(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < TURN_MS) return;
    await nextTask();
    last = performance.now();
  };
}

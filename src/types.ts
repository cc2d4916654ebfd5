/**
 * The words of the API: what goes into a call and what comes out of it. Types only, so this
 * file costs a page nothing.
 */
import type { Backend } from "../worker/engines";
import type { ArchitectureName, ArchitectureSizes } from "../worker/model/architectures";
import type { LayerSpec } from "../worker/model/layers";
import type { OptimizerSpec } from "../worker/optimizers";

export type { BigramSizes } from "../worker/model/architectures/bigram";
export type { BoWSizes } from "../worker/model/architectures/bow";
export type { GRUSizes } from "../worker/model/architectures/gru";
export type { LSTMSizes } from "../worker/model/architectures/lstm";
export type { MicroGPTSizes } from "../worker/model/architectures/microgpt";
export type { MLPSizes } from "../worker/model/architectures/mlp";
export type { RNNSizes } from "../worker/model/architectures/rnn";
export type { TransformerSizes } from "../worker/model/architectures/transformer";
export type { ModelSizes } from "../worker/model/architectures/wavenet";
export type { AdamW } from "../worker/optimizers/adamw";
export type { SGD } from "../worker/optimizers/sgd";
export type { Backend, LayerSpec, OptimizerSpec };

/**
 * `"wavenet"`: the lecture's final model, context 8, embedding 24, hidden 128 (76,579
 * parameters for 26 letters). `"mlp"`: where the lecture starts, context 3, embedding 10,
 * hidden 200 (12,097). Both predict a character from a window of those before it.
 *
 * The rest of makemore reads words from left to right, and one example is a whole word: `"bigram"` (729), `"bow"` (a
 * bag of words, 12,827), `"rnn"` (11,803), `"gru"` (28,315), `"lstm"` (36,571), `"transformer"` (204,544), and
 * `"microgpt"` (4,192). `"bow"`, `"transformer"` and `"microgpt"` read words up to their `contextLength`: by default
 * the longest word of the list and one. The others read up to 255 characters.
 *
 * Or sizes, whose `type` is one of these names (default `"wavenet"`), or the layers themselves. A list with a layer
 * such as `GRU` or `CausalSelfAttention` reads words.
 */
export type ModelChoice = ArchitectureName | ArchitectureSizes | readonly LayerSpec[];

/** Words of one list: any iterable of strings, or one string with a word a line. */
export type Words = Iterable<string> | string;

/** The lists of a model with groups, by name: `{ elves: [...], dwarves: [...] }`. */
export type WordGroups = Readonly<Record<string, Words>>;

/** One group by its name, or weights above 0 for some of them, such as `{ elves: 0.7, dwarves: 0.3 }`. */
export type GroupChoice = string | Readonly<Record<string, number>>;

/** See `TrainOptions.recipe`. */
export type RecipeName = "default" | "thorough" | "best" | "lecture" | "makemore" | "microgpt";

/**
 * A learning rate over the training: `warmup` steps of linear growth to `peak`, then `decay`
 * towards `final`, which it reaches as the training ends. Linear and cosine decay begin after `hold`. Decay `"step"` holds `peak` until `at` (a
 * fraction of the steps) and `final` from there on.
 */
export interface Schedule {
  peak: number;
  /** Steps. Default 0. */
  warmup?: number | undefined;
  /** Default `"constant"`. */
  decay?: "constant" | "linear" | "cosine" | "step" | undefined;
  /** Default 0; a tenth of `peak` for `"step"`. */
  final?: number | undefined;
  /** Where `"step"` steps down, as a fraction of the steps. Default 0.75. */
  at?: number | undefined;
  /** How long `"linear"` and `"cosine"` stay at `peak`, as a fraction of the steps after warm-up. Default 0. */
  hold?: number | undefined;
}

/**
 * Mean cross entropy in nats per character (the boundary after a word counts as one), in
 * evaluation mode; NaN for a split without words.
 */
export interface Losses {
  train: number;
  validation: number;
  test: number;
}

/** How training stands; given to `onProgress` at most about 20 times a second. */
export interface Progress {
  /** Steps done since the training began, those before a `resume` included. */
  step: number;
  /** Steps the training will have when it is finished. */
  steps: number;
  /**
   * Mean training loss since the last call, nats per character. With soft targets it is the cross entropy
   * against them: the same expectation as with hard ones, less noise. A teacher's share counts as well.
   */
  loss: number;
  /** Over about the last second. */
  stepsPerSecond: number;
  /** At that pace. */
  secondsLeft: number;
  /** What is training, and on what: `"relaxed-simd"`, `"simd"`, an adapter's name, … */
  backend: Backend;
  device: string;
  /**
   * Where `evalEvery` fell due: the validation split whole, and as many characters of the training
   * split, so that an evaluation stays short.
   */
  evaluation?: Pick<Losses, "train" | "validation">;
  /** Where `sampleEvery` fell due: a few words of the model as it is. */
  samples?: string[];
  /** Something the training got over, such as a lost GPU; said once. */
  notice?: string;
}

export interface TrainOptions {
  /** Default: `"wavenet"`, or a smaller one of its kind for a list of less than about 3,000 words. */
  model?: ModelChoice | undefined;
  /**
   * - `"default"`: 3,400 steps of 128 examples with AdamW at 4.5e-3 (betas 0.8 and 0.99, decay 0.003), 50
   *   steps of warm-up (a tenth of a run below 500), the peak until 70 %, then linear to 0; soft targets in
   *   even order. A list shorter than the lecture's takes fewer steps, more decay, and below about 3,000 words
   *   a smaller model.
   * - `"thorough"`: the same for 5,000 steps, with decay 0.01.
   * - `"best"`: 8,000 steps with the n-gram teacher and decay 0.05, the peak until 60 %.
   * - `"lecture"`: SGD at 0.1, then 0.01 for the last quarter, 200,000 steps of 32; hard targets in random
   *   order.
   * - `"makemore"`: makemore.py's AdamW at 5e-4 (betas 0.9 and 0.99, decay 0.01), 10,000 steps of 32; hard
   *   targets in random order. Its model is the Transformer, unless another is given.
   * - `"microgpt"`: microGPT's Adam at 0.01 (betas 0.85 and 0.99), linear to 0, 1,000 steps of one word; hard
   *   targets in random order. Its model is microGPT, unless another is given.
   *
   * A model that reads words takes `"default"`, `"makemore"` or `"microgpt"`. Its default is 6,000 steps of 32 words
   * (2,000 for the bigram) with AdamW (betas 0.9 and 0.99, decay 0.01) at 3e-3 (2e-3 for the Transformer, 0.01 for
   * microGPT, 0.05 for the bigram), with warm-up as above, the peak until half of the steps, then linear to 0; soft
   * targets in even order. The Transformer takes decay 0.1 and the n-gram teacher, unless the latter would need more than
   * 256 MB, or the words have groups. Other models take all but `"microgpt"`.
   *
   * Any option beside it wins. Default `"default"`.
   */
  recipe?: RecipeName | undefined;
  /**
   * Gradient steps, 1 to 10,000,000. `"auto"`, the default of the default recipe, takes them from the length of
   * the list, and ends earlier when the validation loss has not come down for half of them. The other
   * recipes have their own by default. More steps than `"auto"` would take come with more weight decay, up to 0.1.
   */
  steps?: number | "auto" | undefined;
  /**
   * Examples a step, 1 to 4,096. An example is a character to predict, or a whole word for a model that reads words.
   * At least 2 where a BatchNorm1d would see one row. Default: the recipe's.
   */
  batchSize?: number | undefined;
  /** A number is a constant rate. Default: the recipe's. An optimiser of another type brings its own peak: 0.1 for SGD, 2e-3 for AdamW. */
  learningRate?: number | Schedule | undefined;
  /** A name stands for its defaults. Default: the recipe's. */
  optimizer?: OptimizerSpec["type"] | OptimizerSpec | undefined;
  /**
   * How examples are drawn. `"even"`: each batch is an even sample of the examples sorted by context (of the words in
   * their order, for a model that reads words), and no
   * example comes twice before most others came once. `"random"`: with replacement, as in the lecture. Default:
   * the recipe's.
   */
  order?: "even" | "random" | undefined;
  /**
   * What an example is to predict. `"soft"`: the distribution of the characters that follow the same context
   * in the training split. The expected gradient is that of `"hard"`, the example's own next character, but less
   * noisy. Needs at most 8 bytes an example. Default: the recipe's.
   */
  targets?: "soft" | "hard" | undefined;
  /**
   * `"ngram"`: the network first learns a smoothed n-gram of the training split, then the data: soft
   * targets are mixed with the n-gram's, whose weight falls from 0.9 to 0 over the training, or to 0.3 for a model that
   * reads words. Gives a lower loss to a model that would learn its words by heart, such as the Transformer. Needs 4
   * bytes a context (or beginning of a word) and vocabulary entry, 5 MB for 30,000 names, at most 256 MB.
   * Default: the recipe's, `"none"` with hard targets.
   */
  teacher?: "ngram" | "none" | undefined;
  /**
   * A whole number, 0 to 4,294,967,295, or any string. Default 42. Same seed, words and backend: same weights.
   *
   * A string stands for its 32-bit FNV-1a hash, over the UTF-8 bytes of its NFC; files keep that number.
   */
  seed?: number | string | undefined;
  /** Shares of train, validation and test; of each group, if there are groups. Default [0.8, 0.1, 0.1]. */
  split?: readonly [train: number, validation: number, test: number] | undefined;
  /** Shuffle the words by the seed before the split. Default true. */
  shuffle?: boolean | undefined;
  /**
   * For words as one CSV text: the column with the words, by its name in the first line, or by its number from 0, and
   * then the first line counts as data.
   */
  column?: string | number | undefined;
  /**
   * Keep the weights that did best on the validation split, not the last ones: short lists are soon
   * learned by heart. Nothing is kept if there is no validation split. `resume` goes on from the last
   * weights all the same; a file holds the kept ones. Default true, for the recipes `"lecture"` and `"microgpt"`
   * false.
   */
  keepBest?: boolean | undefined;
  /**
   * Steps without a better validation loss after which training ends; 0 is never. Takes `keepBest`.
   * Default: half of the steps with `steps: "auto"`, otherwise 0.
   */
  patience?: number | undefined;
  /** Steps between evaluations in `onProgress`; 0, the default, is never. No file is fetched for them. */
  evalEvery?: number | undefined;
  /** Steps between samples in `onProgress`; 0, the default, is never. No file is fetched for them. */
  sampleEvery?: number | undefined;
  /**
   * Fetches and starts ONNX Runtime (3.7 MB) while the training runs, so that the first `sample` after it is quick.
   * Default false: the first call that needs ONNX Runtime fetches it.
   */
  prefetch?: boolean | undefined;
  /**
   * Saves the model and its words under this name, as `save` does: about every two seconds, and at the end also
   * of a training that was stopped. A save that fails is a notice, not the end of the training. Default: not saved.
   */
  saveAs?: string | undefined;
  /**
   * If it throws, or returns a promise that rejects, training stops and `train` rejects with that. Training does
   * not wait for the promise.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops training as `fetch` does; what was learned stays. */
  signal?: AbortSignal | undefined;
}

/** Options of `resume`; what is not given stays as the training had it. */
export interface ResumeOptions {
  /** After `load`: the words that the training had, in the same groups if it had groups. */
  words?: Words | WordGroups | undefined;
  /** As in `TrainOptions`, for these words. */
  column?: string | number | undefined;
  /** A new total, for going on beyond the end. */
  steps?: number | undefined;
  /** A new rate or schedule, over the whole training, from its first step on. */
  learningRate?: number | Schedule | undefined;
  /** Steps between evaluations in `onProgress`; 0, the default, is never. */
  evalEvery?: number | undefined;
  /** Steps between samples in `onProgress`; 0, the default, is never. */
  sampleEvery?: number | undefined;
  /** As in `TrainOptions`. Default false. */
  prefetch?: boolean | undefined;
  /** As in `TrainOptions`. Default: not saved. */
  saveAs?: string | undefined;
  /**
   * If it throws, or returns a promise that rejects, training stops and `resume` rejects with that. Training does
   * not wait for the promise.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops training as `fetch` does; what was learned stays. */
  signal?: AbortSignal | undefined;
}

/** Options of `score`. */
export interface ScoreOptions {
  /**
   * For a model with groups: the group that words are taken to be of. Weights mix the groups at every character, as
   * for `sample`. Default: the word may be of any group, each as likely as another.
   */
  group?: GroupChoice | undefined;
  /** Stops scoring as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** Stops the evaluation as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `load`. */
export interface LoadOptions {
  /**
   * The words that the training had, for `novel`, `evaluate` and `resume`. For `novel` alone, give them to
   * `sample` instead. In the same groups, if the training had groups.
   */
  words?: Words | WordGroups | undefined;
  /** As in `TrainOptions`, for these words. */
  column?: string | number | undefined;
  /** Stops loading as `fetch` does; the model stays as it was. */
  signal?: AbortSignal | undefined;
}

/** What the words came to. */
export interface WordStats {
  /** Words trained, validated and tested on, repeats included. */
  count: number;
  /** Words left out because nothing was left of them after trimming. */
  dropped: number;
  /** Words that had occurred before. */
  repeated: number;
  /** Words in each split. */
  split: { train: number; validation: number; test: number };
}

/** What `backend: "auto"` found: milliseconds a step, or why an engine was not in question. */
export interface BackendMeasurement {
  backend: Backend;
  device: string;
  /** Median of a few throw-away steps. */
  msPerStep?: number;
  /** Why it was not measured. */
  skipped?: string;
}

/** Which weights a training kept. */
export interface Kept {
  /** Steps that they were trained for. */
  step: number;
  /** Their mean cross entropy on the validation split (its first 32,768 characters), nats per character. */
  validation: number;
}

export interface TrainResult {
  /** Steps done since the training began. */
  step: number;
  /** Steps of the whole training; as many as were done if it ended early. */
  steps: number;
  /** Whether `stop()` ended it before its last step. */
  stopped: boolean;
  /** The weights that the model has now; absent without `keepBest` or without a validation split. */
  kept?: Kept;
  /** Share of 1,000 samples at temperature 1 that are words of the list, 0 to 1. */
  copies: number;
  backend: Backend;
  device: string;
  /** Wall time of this call in the worker, seconds, evaluation and sampling included. */
  seconds: number;
  /**
   * The loss of every step of this call, in order: `losses[0]` is step `step - losses.length`. See
   * `Progress.loss`; the plain loss of a whole split is `evaluate`'s.
   */
  losses: Float32Array;
  /** As the lecture smooths it: means over buckets of `size` steps (1,000, or fewer for a short run). */
  smoothed: { size: number; losses: Float32Array };
  words: WordStats;
  model: ModelInfo;
  /** What `auto` measured; absent where a backend was asked for. */
  measured?: BackendMeasurement[];
  /** What the training got over on its way. */
  notices: string[];
}

/** One layer of a model as it stands. */
export interface LayerInfo {
  name: string;
  type: LayerSpec["type"];
  /** [positions, channels] going in and out, without the batch. */
  inputShape: readonly number[];
  outputShape: readonly number[];
  /** Trainable numbers. */
  parameters: number;
}

/** What the current model is. */
export interface ModelInfo {
  /** Characters before the one to predict; for a model that reads words, those of its longest word and one. */
  contextLength: number;
  /** Characters in order of their ids, from 1; id 0 is the boundary of words. */
  vocabulary: readonly string[];
  /** Names of the lists that it was trained on, in order of their ids, which follow the characters'; absent for one list. */
  groups?: readonly string[];
  layers: readonly LayerInfo[];
  /** Trainable numbers in all. */
  parameters: number;
  /** Steps it was trained for; during training, as of the last progress. */
  step: number;
  /** Steps its training will have when it is finished. */
  steps: number;
}

export interface SampleOptions {
  /** Divides the logits. Default 1; below 1 is safer, above is wilder. Above 0, at most 100. */
  temperature?: number | undefined;
  /** Only the k likeliest characters. Default: all. */
  topK?: number | undefined;
  /** Only the likeliest characters that together have this probability. Default 1. */
  topP?: number | undefined;
  /** How each word begins. Default "". */
  prefix?: string | undefined;
  /**
   * How each word ends. The search is led to such words, so that a rare suffix is found as well; docs/sampling.md says
   * how. Default: anything.
   */
  suffix?: string | undefined;
  /** What each word has somewhere. The search is led to it, if there is no `suffix`. Default: anything. */
  contains?: string | undefined;
  /**
   * What each word matches somewhere: use `^` and `$` for all of it. `lastIndex` is taken as 0. A pattern that takes
   * more than 100 ms for a word is refused. Default: anything.
   */
  pattern?: RegExp | undefined;
  /**
   * Words and parts of words that no word has in it: any iterable of strings, or one string with one per line. They
   * are trimmed and in NFC, and compared by character, upper and lower case as they stand. Default: none.
   */
  avoid?: Iterable<string> | string | undefined;
  /** In characters, the prefix included. Default 1. */
  minLength?: number | undefined;
  /** A word that reaches it ends there. Default 100. */
  maxLength?: number | undefined;
  /**
   * For a model with groups: the group that words are of. Weights mix the groups at every character: they need not
   * add up to 1, and a group without one has no part. Default: each group has its turn, word by word.
   */
  group?: GroupChoice | undefined;
  /** As in `TrainOptions`. Same seed, same model: same words. Default: a new one each call. */
  seed?: number | string | undefined;
  /** `true` leaves out words of the training list; a list of words leaves out those. Default false. */
  novel?: boolean | Iterable<string> | string | undefined;
  /**
   * Edits to the nearest word of the training list, at the least: the Damerau-Levenshtein distance, in characters
   * inserted, deleted, replaced, or swapped with their neighbour. 1 is the same as `novel: true`; at most 1,000.
   * Default 0.
   */
  minDistance?: number | undefined;
  /** No word twice. Default false. */
  unique?: boolean | undefined;
  /**
   * `"likelihood"`: the words that were sampled, the likeliest first, by the `logLikelihood` that `score` gives. Only
   * for `sample`. Default: in the order in which they were sampled.
   */
  orderBy?: "likelihood" | undefined;
  /** Stops sampling as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** A condition on sampled words: the option's name. */
export type SampleCondition =
  | "suffix"
  | "contains"
  | "pattern"
  | "avoid"
  | "novel"
  | "minDistance"
  | "unique";

/** What the model makes of a word. */
export interface WordScore {
  word: string;
  /** Sum over the characters and the boundary after them, nats; at most 0. */
  logLikelihood: number;
  /** `logLikelihood` divided by the characters, the boundary included. */
  perCharacter: number;
  /** -log p of each character given those before it, nats; the last is the boundary's. */
  surprises: { character: string; surprise: number }[];
}

/** What the model makes of a word's group. */
export interface Classification {
  word: string;
  /** The group with the highest probability. */
  group: string;
  /** 0 to 1; those of all groups add up to 1. */
  probabilities: Record<string, number>;
}

/** Options of `classify`. */
export interface ClassifyOptions {
  /** Stops the call as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `next`. */
export interface NextOptions {
  /** As in `ScoreOptions`. */
  group?: GroupChoice | undefined;
  /** Stops the call as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** A character that may come next. */
export interface NextCharacter {
  /** The end of the word is "". */
  character: string;
  /** 0 to 1; those of all characters add up to 1. */
  probability: number;
}

export interface ExportOptions {
  /**
   * `"window"`: `context` int32 [batch, contextLength] to `logits` [batch, vocabulary]. `"convolution"`:
   * `tokens` int32 [batch, time], plain words, to `logits` [batch, time + 1, vocabulary] of each
   * character given those before it, and of what follows the last. `"sequence"`, for models that read
   * words: `tokens` int32 [batch, time], 0 and then a word, to `logits` [batch, time, vocabulary] of what
   * follows each token; for other models it is the same as `"convolution"`. `"incremental"`: one character
   * at a time, with the state as named inputs and outputs.
   *
   * Default: `"sequence"` for models that read words (bigram, bow, rnn, gru, lstm, transformer, microgpt),
   * which have no window and no convolution; otherwise `"window"`.
   */
  form?: "window" | "convolution" | "sequence" | "incremental" | undefined;
  /** Leave out what only `resume` needs (optimiser moments). Default true: keep it. */
  trainingState?: boolean | undefined;
  /** Stops the export as `fetch` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `save`. */
export interface SaveOptions {
  /** Stops the save as `fetch` does; the name keeps the model that it had, unless the new one is already there. */
  signal?: AbortSignal | undefined;
}

/** A saved model, as `Makemore.saved()` lists it. */
export interface SavedModel {
  name: string;
  /** When it was saved. */
  date: Date;
  /** Words saved with it, repeats included; 0 if it was loaded without its words. */
  words: number;
  /** Trainable numbers in all. */
  parameters: number;
  /** Steps it was trained for. */
  step: number;
  /** Steps its training will have when it is finished. */
  steps: number;
  /** What it takes in the browser's storage, about. */
  bytes: number;
}

export interface MakemoreOptions {
  /**
   * `"auto"`, the default, measures what is fastest here. `"webgpu"` and `"wasm"` are this
   * package's own engines; `"tfjs"` trains any model by automatic differentiation. Models that read words
   * have no WebGPU kernels yet: `"webgpu"` trains them with tfjs on WebGPU, and `device` ends in `(tfjs)`. One that cannot
   * train the model here gives way to the next, and the result's `notices` say so.
   */
  backend?: "auto" | Backend | undefined;
  /**
   * The folder that the package's other files are served from, for pages whose bundler does not copy
   * them; absolute, or relative to the page, with or without a last slash. Default: `makemore-web/`
   * beside the main file. In Node, a file: URL or a path relative to the working directory.
   */
  assetsURL?: string | URL | undefined;
  /** The worker file, where it is not in that folder. */
  workerURL?: string | URL | undefined;
}

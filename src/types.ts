/**
 * The types of the public API: options and results of every call. Types only, so this file adds no bytes to a
 * page.
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
export type { BatchNorm1dSpec } from "../worker/model/layers/batchNorm1d";
export type { CausalMeanSpec } from "../worker/model/layers/causalMean";
export type { CausalSelfAttentionSpec } from "../worker/model/layers/causalSelfAttention";
export type { EmbeddingSpec } from "../worker/model/layers/embedding";
export type { FlattenConsecutiveSpec } from "../worker/model/layers/flattenConsecutive";
export type { GELUSpec } from "../worker/model/layers/gelu";
export type { GRUSpec } from "../worker/model/layers/gru";
export type { LayerNormSpec } from "../worker/model/layers/layerNorm";
export type { LinearSpec } from "../worker/model/layers/linear";
export type { LSTMSpec } from "../worker/model/layers/lstm";
export type { PositionEmbeddingSpec } from "../worker/model/layers/positionEmbedding";
export type { ReLUSpec } from "../worker/model/layers/relu";
export type { ResidualSpec } from "../worker/model/layers/residual";
export type { RMSNormSpec } from "../worker/model/layers/rmsNorm";
export type { RNNSpec } from "../worker/model/layers/rnn";
export type { TanhSpec } from "../worker/model/layers/tanh";
export type { AdamW } from "../worker/optimizers/adamw";
export type { Lion } from "../worker/optimizers/lion";
export type { SGD } from "../worker/optimizers/sgd";
export type { ArchitectureName, ArchitectureSizes, Backend, LayerSpec, OptimizerSpec };

/**
 * Which model to train: a name, an object with sizes, or a list of layers.
 *
 * Two models predict a character from a window of the characters before it. The parameter counts are for 26 letters.
 *
 * - `"wavenet"`: the lecture's final model. Context 8, embedding 24, hidden 128; 76,579 parameters.
 * - `"mlp"`: the lecture's first model. Context 3, embedding 10, hidden 200; 12,097 parameters.
 *
 * The other models of makemore read a word from left to right, and one example is a whole word: `"bigram"` (729
 * parameters), `"bow"` (a bag of words, 12,827), `"rnn"` (11,803), `"gru"` (28,315), `"lstm"` (36,571),
 * `"transformer"` (204,544) and `"microgpt"` (4,192).
 *
 * `"bow"`, `"transformer"` and `"microgpt"` read words of at most `contextLength - 1` characters; by default,
 * `contextLength` fits the longest word of the list. The others read up to 255 characters.
 *
 * An object with sizes names its model in `type` (default `"wavenet"`). A list of layers reads words if it has a layer
 * such as `GRU` or `CausalSelfAttention`.
 */
export type ModelChoice = ArchitectureName | ArchitectureSizes | readonly LayerSpec[];

/** Words of one list: any iterable of strings, or one string with one word per line. */
export type Words = Iterable<string> | string;

/** Several lists by name, for a model with groups: `{ elves: [...], dwarves: [...] }`. */
export type WordGroups = Readonly<Record<string, Words>>;

/** The name of one group, or weights above 0 for several, such as `{ elves: 0.7, dwarves: 0.3 }`. */
export type GroupChoice = string | Readonly<Record<string, number>>;

/** The name of a recipe: see `TrainOptions.recipe`. */
export type RecipeName = "default" | "thorough" | "best" | "lecture" | "makemore" | "microgpt";

/**
 * The learning rate over the training. It grows linearly to `peak` for `warmup` steps. Then `"linear"` and `"cosine"`
 * stay at `peak` for `hold`, and fall to `final` by the end of the training. `"step"` stays at `peak` until `at`, and
 * then is `final`.
 */
export interface Schedule {
  /** The highest rate, above 0. */
  peak: number;
  /** Steps of linear growth to `peak`. Default 0. */
  warmup?: number | undefined;
  /** How the rate falls after the warm-up. Default `"constant"`: it stays at `peak`. */
  decay?: "constant" | "linear" | "cosine" | "step" | undefined;
  /** The rate at the end. Default 0; a tenth of `peak` for `"step"`. */
  final?: number | undefined;
  /** When `"step"` steps down, as a fraction of the steps. Default 0.75. */
  at?: number | undefined;
  /** How long `"linear"` and `"cosine"` stay at `peak`, as a fraction of the steps after warm-up. Default 0. */
  hold?: number | undefined;
}

/**
 * Mean cross entropy per split, in evaluation mode, in nats per character. The end of a word counts as a character.
 * NaN for a split without words.
 */
export interface Losses {
  train: number;
  validation: number;
  test: number;
}

/** The progress of a training. `onProgress` gets it at most about 20 times per second. */
export interface Progress {
  /** Steps done since the training began, including those before a `resume`. */
  step: number;
  /** Steps of the whole training. */
  steps: number;
  /**
   * Mean training loss since the last call, in nats per character. With soft targets, this is the cross entropy with
   * them: it has the same expectation as with hard targets, but less noise. With a teacher, the targets include its
   * share.
   */
  loss: number;
  /** Steps per second, over about the last second. */
  stepsPerSecond: number;
  /** Seconds left at the current pace. */
  secondsLeft: number;
  /** The engine that trains. */
  backend: Backend;
  /** What the engine runs on, such as `"relaxed-simd"`, `"simd"` or the name of a GPU. */
  device: string;
  /**
   * Present when `evalEvery` is due: losses on the whole validation split, and on as many characters of the training
   * split, so that an evaluation stays short.
   */
  evaluation?: Pick<Losses, "train" | "validation">;
  /** Present when `sampleEvery` is due: a few words from the current model. */
  samples?: string[];
  /** With the option `diagnostics`: the steps that were looked at since the last call, if any. */
  diagnostics?: Diagnostics[];
  /** A problem that training recovered from, such as a lost GPU. Each one is reported once. */
  notice?: string;
}

/**
 * What happens inside the model at one step: what part 3 of the lecture ("Activations & Gradients, BatchNorm") plots.
 * The activations and gradients are those of the step's first examples, at most 32, in training mode.
 */
export interface Diagnostics {
  /** Steps done before the one described here; 0 for the first. */
  step: number;
  /** The layers in order, and those inside a `Residual` before it. A layer that only reshapes is left out. */
  layers: LayerDiagnostics[];
  /** The trainable parameters, in order. */
  parameters: ParameterDiagnostics[];
}

/** What one layer computed, at one step. */
export interface LayerDiagnostics {
  /** The layer's name, such as `"tanh1"`. */
  layer: string;
  type: LayerSpec["type"];
  /** The layer's outputs. */
  activations: Distribution;
  /** The gradients of the mean loss, in nats, by the layer's outputs. */
  gradients: Distribution;
  /**
   * Share of the layer's tanhs with an absolute value above 0.97, 0 to 1: they pass on less than 6 % of their gradient.
   * Only for Tanh (its outputs), RNN (its outputs), GRU (its candidates) and LSTM (its candidates, and the tanh of its
   * memory).
   */
  saturation?: number;
}

/** A set of numbers. */
export interface Distribution {
  mean: number;
  /** Standard deviation, of the unbiased variance. */
  std: number;
  min: number;
  max: number;
  /** How many numbers are in each of 50 bins of equal width, from `min` to `max`. */
  histogram: number[];
}

/** How far one step moved a parameter. */
export interface ParameterDiagnostics {
  /** The parameter's name, such as `"linear1.weight"`. */
  parameter: string;
  shape: number[];
  /**
   * log10 of the update's standard deviation divided by that of the parameter's values before the step. About -3 is
   * healthy, says the lecture: each step changes the values by a thousandth. Absent if all values are equal, as those of
   * a new bias, or if none changed.
   */
  updateToData?: number;
}

/** Options of `train`. */
export interface TrainOptions {
  /** The model to train. Default: `"wavenet"`, or a smaller WaveNet for a list of fewer than about 3,000 words. */
  model?: ModelChoice | undefined;
  /**
   * A set of training options that were tuned together. Any option that you give replaces the recipe's.
   *
   * - `"default"`: 3,400 steps of 128 examples with AdamW (betas 0.8 and 0.99, weight decay 0.003). The learning rate
   *   warms up for 50 steps (a tenth of a run shorter than 500), stays at 4.5e-3 until 70 % of the steps after the
   *   warm-up, and then falls linearly to 0. Soft targets, even order. A list shorter than the lecture's gets fewer
   *   steps and more weight decay; below about 3,000 words it also gets a smaller model.
   * - `"thorough"`: as `"default"`, for 5,000 steps with weight decay 0.01.
   * - `"best"`: as `"default"`, for 8,000 steps with the n-gram teacher and weight decay 0.05; the learning rate stays
   *   at its peak until 60 %.
   * - `"lecture"`: 200,000 steps of 32 examples with SGD at 0.1, and at 0.01 for the last quarter. Hard targets,
   *   random order.
   * - `"makemore"`: as makemore.py, 10,000 steps of 32 examples with AdamW at 5e-4 (betas 0.9 and 0.99, weight decay
   *   0.01). Hard targets, random order. Its default model is the Transformer.
   * - `"microgpt"`: as microGPT, 1,000 steps of one word with Adam at 0.01 (betas 0.85 and 0.99), falling linearly to
   *   0. Hard targets, random order. Its default model is microGPT.
   *
   * A model that reads words takes `"default"`, `"makemore"` or `"microgpt"`; the other models take all but
   * `"microgpt"`. For a model that reads words, `"default"` is 6,000 steps of 32 words (2,000 for the bigram) with AdamW
   * (betas 0.9 and 0.99, weight decay 0.01). The learning rate's peak is 3e-3 (2e-3 for the Transformer, 0.01 for
   * microGPT, 0.05 for the bigram); it warms up as above, stays at the peak for half of the steps, and then falls
   * linearly to 0. Soft targets, even order. The Transformer has weight decay 0.1 and the n-gram teacher; it has no
   * teacher if that would need more than 256 MB, or if the words have groups.
   *
   * Default `"default"`.
   */
  recipe?: RecipeName | undefined;
  /**
   * Gradient steps, 1 to 10,000,000. `"auto"` chooses them by the length of the list with the default recipe, and takes
   * the recipe's number with another one. It ends the training early if the validation loss has not improved for half of
   * them. Default: `"auto"` for the default recipe, otherwise the recipe's number. With the default recipe, more steps
   * than `"auto"` would choose raise the weight decay, up to 0.1.
   */
  steps?: number | "auto" | undefined;
  /**
   * Examples per step, 1 to 4,096. An example is one character to predict, or a whole word for a model that reads words.
   * At least 2 if a BatchNorm1d would otherwise see a single row. Default: the recipe's.
   */
  batchSize?: number | undefined;
  /**
   * The learning rate: a number for a constant rate, or a schedule. Default: the recipe's. If `optimizer` is of another
   * type than the recipe's, its default peak is that type's own: 0.1 for SGD, 2e-3 for AdamW, 2e-4 for Lion.
   */
  learningRate?: number | Schedule | undefined;
  /** The optimiser, with its options, or its name for the defaults. Default: the recipe's. */
  optimizer?: OptimizerSpec["type"] | OptimizerSpec | undefined;
  /**
   * The order in which examples are drawn. `"even"`: each batch is spread evenly over the examples, which are sorted by
   * context (words are sorted alphabetically), and hardly any example repeats before the others have had their turn.
   * `"random"`: with replacement, as in the lecture. Default: the recipe's.
   */
  order?: "even" | "random" | undefined;
  /**
   * What an example has to predict. `"hard"`: its own next character. `"soft"`: the distribution of all characters that
   * follow the same context in the training split. The expected gradient is the same, but `"soft"` has less noise. Soft
   * targets need at most 8 bytes per example. Default: the recipe's.
   */
  targets?: "soft" | "hard" | undefined;
  /**
   * `"ngram"` mixes the soft targets with the predictions of a smoothed n-gram of the training split. The n-gram's
   * weight falls from 0.9 at the first step to 0 at the last (to 0.3 for a model that reads words). This lowers the
   * validation loss of models that overfit, such as the Transformer. It needs 4 bytes per vocabulary entry and context
   * (for a model that reads words: per distinct prefix), which is 5 MB for 30,000 names, and at most 256 MB. Default:
   * the recipe's; `"none"` with hard targets.
   */
  teacher?: "ngram" | "none" | undefined;
  /**
   * A whole number, 0 to 4,294,967,295, or any string. The same seed, words, options, backend and device give the same
   * weights. Default 42.
   *
   * A string becomes its 32-bit FNV-1a hash, over the UTF-8 bytes of its NFC form; files store that number.
   */
  seed?: number | string | undefined;
  /** Shares of train, validation and test, of every group if there are groups. Default [0.8, 0.1, 0.1]. */
  split?: readonly [train: number, validation: number, test: number] | undefined;
  /** Whether to shuffle the words, by the seed, before the split. Default true. */
  shuffle?: boolean | undefined;
  /**
   * For words that are one CSV text: the column that holds the words. Give its name in the first line, or its number
   * from 0; with a number, the first line counts as data.
   */
  column?: string | number | undefined;
  /**
   * Whether the model gets the weights with the best validation loss, instead of the last ones, because a short list is
   * soon overfitted. Has no effect without a validation split. `resume` still continues from the last weights; a saved
   * or exported file holds the best ones. Default true; false for the recipes `"lecture"` and `"microgpt"`.
   */
  keepBest?: boolean | undefined;
  /**
   * Ends the training after this many steps without a better validation loss; 0 is never. Needs `keepBest` and a
   * validation split. Default: half of the steps with `steps: "auto"`, otherwise 0.
   */
  patience?: number | undefined;
  /** Steps between evaluations in `onProgress`; 0 is never. Evaluations download nothing. Default 0. */
  evalEvery?: number | undefined;
  /** Steps between samples in `onProgress`; 0 is never. These samples download nothing. Default 0. */
  sampleEvery?: number | undefined;
  /**
   * Whether `onProgress` gets `Diagnostics`: the activations, gradients and updates of each layer at some steps. `true`
   * looks at the first step, and then at up to 50 evenly spaced steps: as many as fit into 5 % of the training's time.
   * `{ every: n }` looks at every n-th step, however long that takes. The weights are the same with and without it.
   * Default false.
   */
  diagnostics?: boolean | { every: number } | undefined;
  /**
   * Whether to download and start ONNX Runtime (3.7 MB) during the training, so that the first `sample` after it is fast.
   * Default false: the first call that needs ONNX Runtime downloads it.
   */
  prefetch?: boolean | undefined;
  /**
   * Saves the model and its words under this name, as `save` does: about every two seconds, and when the training ends
   * or is stopped. A failed save adds a notice and does not end the training. Default: not saved.
   */
  saveAs?: string | undefined;
  /**
   * Called with the progress. If it throws, or returns a promise that rejects, training stops and `train` rejects with
   * the same error. Training does not wait for the promise.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Aborts the training: `train` rejects with the signal's reason, and the model keeps what it has learned so far. */
  signal?: AbortSignal | undefined;
}

/** Options of `resume`. Options that are not given keep the value that the training had. */
export interface ResumeOptions {
  /** After `load`: the words of the training, in the same groups if it had groups. */
  words?: Words | WordGroups | undefined;
  /** As in `TrainOptions`, for these words. */
  column?: string | number | undefined;
  /** A new total number of steps, to train longer than planned. */
  steps?: number | undefined;
  /** A new rate or schedule. A schedule spans the whole training, from its first step. */
  learningRate?: number | Schedule | undefined;
  /** Steps between evaluations in `onProgress`; 0 is never. Default 0. */
  evalEvery?: number | undefined;
  /** Steps between samples in `onProgress`; 0 is never. Default 0. */
  sampleEvery?: number | undefined;
  /** As in `TrainOptions`, for the steps of this call. Default false. */
  diagnostics?: boolean | { every: number } | undefined;
  /** As in `TrainOptions`. Default false. */
  prefetch?: boolean | undefined;
  /** As in `TrainOptions`. Default: not saved. */
  saveAs?: string | undefined;
  /**
   * Called with the progress. If it throws, or returns a promise that rejects, training stops and `resume` rejects with
   * the same error. Training does not wait for the promise.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Aborts the training: `resume` rejects with the signal's reason, and the model keeps what it has learned so far. */
  signal?: AbortSignal | undefined;
}

/** Options of `score`. */
export interface ScoreOptions {
  /**
   * For a model with groups: the group to score the words as. Weights mix the groups at every character, as in `sample`.
   * Default: any group, all equally likely.
   */
  group?: GroupChoice | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of `load`. */
export interface LoadOptions {
  /**
   * The words of the training, which `novel`, `minDistance`, `evaluate` and `resume` need; in the same groups if it had
   * groups. If you only need `novel`, give the words to `sample` instead.
   */
  words?: Words | WordGroups | undefined;
  /** As in `TrainOptions`, for these words. */
  column?: string | number | undefined;
  /** Aborts the call, which rejects with the signal's reason. The current model stays. */
  signal?: AbortSignal | undefined;
}

/** Counts of the words after reading and splitting them. */
export interface WordStats {
  /** Words in all splits, including repeats. */
  count: number;
  /** Words that were left out because they are empty once trimmed. */
  dropped: number;
  /** Words that occurred before in the list. */
  repeated: number;
  /** Words in each split. */
  split: { train: number; validation: number; test: number };
}

/** What `backend: "auto"` measured: the milliseconds per step of an engine, or why the engine was skipped. */
export interface BackendMeasurement {
  backend: Backend;
  /** What the engine runs on: see `Progress.device`. */
  device: string;
  /** Milliseconds per step, over a few steps that are thrown away. */
  msPerStep?: number;
  /** Why the engine was not measured. */
  skipped?: string;
}

/** The weights that `keepBest` kept. */
export interface Kept {
  /** The step after which the weights were kept. */
  step: number;
  /** Their mean cross entropy on the validation split (at most its first 32,768 characters), in nats per character. */
  validation: number;
}

/** The result of `train` and `resume`. */
export interface TrainResult {
  /** Steps done since the training began. */
  step: number;
  /** Steps of the whole training; equal to `step` if the training ended early. */
  steps: number;
  /** Whether `stop()` ended the training before its last step. */
  stopped: boolean;
  /** Which weights the model has now; absent without `keepBest` or without a validation split. */
  kept?: Kept;
  /** Share of 1,000 samples at temperature 1 that are words of the list, 0 to 1. */
  copies: number;
  /** The engine that trained. */
  backend: Backend;
  /** What the engine ran on: see `Progress.device`. */
  device: string;
  /** Wall time of this call in the worker, in seconds, including evaluation and sampling. */
  seconds: number;
  /**
   * The loss of every step of this call, in order: `losses[0]` is the loss of step `step - losses.length`. See
   * `Progress.loss`; for the loss of a whole split, call `evaluate`.
   */
  losses: Float32Array;
  /** The losses smoothed as in the lecture: means over buckets of `size` steps (1,000, or fewer for a short run). */
  smoothed: { size: number; losses: Float32Array };
  words: WordStats;
  /** The model with the weights that it has now. */
  model: ModelInfo;
  /** What `"auto"` measured; absent if a backend was chosen. */
  measured?: BackendMeasurement[];
  /** Problems that training recovered from, and warnings about the words or the result. */
  notices: string[];
}

/** One layer of the current model. */
export interface LayerInfo {
  /** Such as `"linear1"`; the names of its parameters begin with it. */
  name: string;
  type: LayerSpec["type"];
  /** [positions, channels] of the input, without the batch. */
  inputShape: readonly number[];
  /** [positions, channels] of the output, without the batch. */
  outputShape: readonly number[];
  /** Number of trainable parameters. */
  parameters: number;
}

/** A description of the current model. */
export interface ModelInfo {
  /**
   * Characters before the one to predict. For a model that reads words: one more than the characters of the longest word
   * that it can read.
   */
  contextLength: number;
  /** The characters in the order of their ids, from 1; id 0 is the boundary between words. */
  vocabulary: readonly string[];
  /**
   * Names of the groups, in the order of their ids, which follow those of the characters. Absent if the model was trained
   * on one list.
   */
  groups?: readonly string[];
  layers: readonly LayerInfo[];
  /** Number of trainable parameters. */
  parameters: number;
  /** Steps that the model was trained for; during a training, as of the last progress. */
  step: number;
  /** Steps of the whole training. */
  steps: number;
}

/** Options of `sample` and `words`. */
export interface SampleOptions {
  /** Divides the logits: below 1 the words are safer, above 1 wilder. Above 0, at most 100. Default 1. */
  temperature?: number | undefined;
  /** Choose among the k likeliest characters only. Default: all. */
  topK?: number | undefined;
  /** Choose among the likeliest characters that together reach this probability. Default 1. */
  topP?: number | undefined;
  /** How each word begins. Default "". */
  prefix?: string | undefined;
  /**
   * How each word ends. The search is guided to such words, so that it also finds a rare suffix: see docs/sampling.md.
   * Default: anything.
   */
  suffix?: string | undefined;
  /** A part that each word must contain. The search is guided to it if there is no `suffix`. Default: anything. */
  contains?: string | undefined;
  /**
   * A pattern that some part of each word must match; `^` and `$` match the word's ends. `lastIndex` is ignored. A
   * pattern that takes more than 100 ms for one word is an error. Default: anything.
   */
  pattern?: RegExp | undefined;
  /**
   * Words and parts of words that no word may contain: any iterable of strings, or one string with one per line. Each is
   * trimmed and converted to NFC. The comparison is case-sensitive. Default: none.
   */
  avoid?: Words | undefined;
  /** Least number of characters, including the prefix. Default 1. */
  minLength?: number | undefined;
  /** Most characters, including the prefix: a word that reaches this length ends there. Default 100. */
  maxLength?: number | undefined;
  /**
   * For a model with groups: the group of the words. Weights mix the groups at every character; they need not add up to
   * 1, and groups that are not named take no part. Default: the groups take turns, word by word.
   */
  group?: GroupChoice | undefined;
  /** As in `TrainOptions`. The same seed and model give the same words. Default: a new random seed for each call. */
  seed?: number | string | undefined;
  /**
   * `true` excludes the words of the training list; a list, which may be empty, excludes its own words instead. Default
   * false.
   */
  novel?: boolean | Words | undefined;
  /**
   * Least number of edits to the nearest word of the training list (Damerau-Levenshtein distance). An edit inserts,
   * deletes or replaces one character, or swaps two neighbours. 1 is the same as `novel: true`; at most 1,000. Default 0.
   */
  minDistance?: number | undefined;
  /** Whether no word may come twice. Default false. */
  unique?: boolean | undefined;
  /**
   * `"likelihood"` returns the sampled words sorted by the `logLikelihood` that `score` gives, the likeliest first. Only
   * for `sample`. Default: in the order in which they were sampled.
   */
  orderBy?: "likelihood" | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The option behind a condition on sampled words: which one could not be met. */
export type SampleCondition =
  | "suffix"
  | "contains"
  | "pattern"
  | "avoid"
  | "novel"
  | "minDistance"
  | "unique";

/** How likely a word is under the model. */
export interface WordScore {
  word: string;
  /** Log-likelihood of the characters and of the word's end, in nats; at most 0. */
  logLikelihood: number;
  /** `logLikelihood` divided by the number of characters, counting the word's end as one. */
  perCharacter: number;
  /** -log p of each character given those before it, in nats. The last entry is the word's end, with character "". */
  surprises: { character: string; surprise: number }[];
}

/** Which group a word belongs to, according to the model. */
export interface Classification {
  word: string;
  /** The group with the highest probability. */
  group: string;
  /** The probability of each group, 0 to 1; they add up to 1. */
  probabilities: Record<string, number>;
}

/** Options of `classify`. */
export interface ClassifyOptions {
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of `next`. */
export interface NextOptions {
  /** As in `ScoreOptions`. */
  group?: GroupChoice | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** A character that may come next. */
export interface NextCharacter {
  /** The character, or "" for the end of the word. */
  character: string;
  /** Its probability, 0 to 1; those of all characters add up to 1. */
  probability: number;
}

/** Options of `exportONNX`. */
export interface ExportOptions {
  /**
   * The form of the graph: its inputs and outputs.
   *
   * - `"window"`: `context` int32 [batch, contextLength] to `logits` [batch, vocabulary].
   * - `"convolution"`: `tokens` int32 [batch, time], the characters of words, to `logits` [batch, time + 1, vocabulary]:
   *   one prediction for each character from those before it, and one for what follows the last.
   * - `"sequence"`: for models that read words, `tokens` int32 [batch, time], 0 and then the characters of a word, to
   *   `logits` (batch, time, vocabulary) of what follows each token. For other models, the same as `"convolution"`.
   * - `"incremental"`: one character at a time, with the state as named inputs and outputs.
   *
   * Models that read words (bigram, bow, rnn, gru, lstm, transformer, microgpt) have no `"window"` and no
   * `"convolution"`. Default: `"sequence"` for them, otherwise `"window"`.
   */
  form?: "window" | "convolution" | "sequence" | "incremental" | undefined;
  /** Whether the file includes the optimiser's state, which only `resume` needs. Default true. */
  trainingState?: boolean | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of `save`. */
export interface SaveOptions {
  /** Aborts the save: the name keeps its old model, unless the new one is already stored. */
  signal?: AbortSignal | undefined;
}

/** A saved model, as `Makemore.saved()` lists it. */
export interface SavedModel {
  name: string;
  /** When it was saved. */
  date: Date;
  /** Words saved with it, including repeats; 0 if the model was loaded without its words. */
  words: number;
  /** Number of trainable parameters. */
  parameters: number;
  /** Steps that the model was trained for. */
  step: number;
  /** Steps of the whole training. */
  steps: number;
  /** About how many bytes it takes in the browser's storage. */
  bytes: number;
}

/** Options of `new Makemore`, `Makemore.open`, `Makemore.saved` and `Makemore.remove`. */
export interface MakemoreOptions {
  /**
   * The engine that trains. `"auto"` measures which is fastest on this device. `"webgpu"` and `"wasm"` are this package's
   * own engines; `"tfjs"` trains any model by automatic differentiation. An engine that cannot train the model here is
   * replaced by the next one, and the result's `notices` say so. Default `"auto"`.
   *
   * Models that read words have no WebGPU kernels yet: `"webgpu"` trains them with tfjs on WebGPU, and `device` then ends
   * in `(tfjs)`.
   */
  backend?: "auto" | Backend | undefined;
  /**
   * The folder that serves the package's other files, for pages whose bundler does not copy them. An absolute URL, or one
   * relative to the page, with or without a trailing slash. Default: `makemore-web/` beside the main file. In Node: a
   * file: URL, or a path relative to the working directory.
   */
  assetsURL?: string | URL | undefined;
  /** URL of the worker file, if it is not in that folder. */
  workerURL?: string | URL | undefined;
}

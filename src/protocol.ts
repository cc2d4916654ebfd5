/**
 * Types of the messages between page and worker. Options are sent as the caller passed them, without those that
 * cannot be cloned, and the worker checks them. Words and files are sent as bytes and transferred.
 */
import type { AssetURLs } from "./assetURLs";
import type { MakemoreErrorCode } from "./errors";
import type {
  BackendMeasurement,
  Classification,
  ExportOptions,
  LoadOptions,
  Losses,
  MakemoreOptions,
  ModelInfo,
  NextCharacter,
  NextOptions,
  Progress,
  ResumeOptions,
  SampleCondition,
  SampleOptions,
  SavedModel,
  ScoreOptions,
  TrainOptions,
  TrainResult,
} from "./types";

/** Options without those that stay on the page. */
export type PlainTrainOptions = Omit<TrainOptions, "onProgress" | "signal">;
export type PlainGroupOptions = Omit<ScoreOptions, "signal">;
export type PlainNextOptions = Omit<NextOptions, "signal">;
export type PlainResumeOptions = Omit<ResumeOptions, "onProgress" | "signal" | "words">;
export type PlainSampleOptions = Omit<SampleOptions, "signal" | "novel" | "avoid" | "pattern"> & {
  novel?: boolean;
  pattern?: { source: string; flags: string } | undefined;
};
export type PlainExportOptions = Omit<ExportOptions, "signal">;
export type PlainLoadOptions = Omit<LoadOptions, "words" | "signal">;
/** Options of `classify`, `evaluate` and `save` in the worker: a valid call has none left. */
export type NoOptions = Record<string, unknown>;

/** Words for the worker. They arrive in pieces, because a long list is encoded in slices. */
export interface EncodedWords {
  /** Port that receives `WordsPiece`s, in order. */
  readonly port: MessagePort;
  /** Whether the caller passed one string, which may turn out to be something else, such as a CSV file. */
  readonly isText: boolean;
  /** For several lists: the name of each, and whether it is one string. The pieces arrive list by list. */
  readonly groups?: readonly { readonly name: string; readonly isText: boolean }[];
}

/** UTF-8, one word per line, cut between any two characters; undefined after the last piece of each list. */
export type WordsPiece = Uint8Array<ArrayBuffer> | undefined;

/** Words and their scores, in a form that is fast to send. */
export interface ScoredWords {
  readonly words: readonly string[];
  /** For each word in turn: the surprises of its characters, then of its end. */
  readonly surprises: Float32Array<ArrayBuffer>;
}

/** Benchmarks of `auto`, by model, batch size, optimiser and examples. The page caches them for all its workers. */
export type Measurements = Map<string, BackendMeasurement[]>;

/** Messages of the worker to the page while a training runs. */
export type TrainEvent = { model: ModelInfo; measurements: Measurements } | { progress: Progress };

/** The error of a failed call. */
export interface CallError {
  readonly code: MakemoreErrorCode;
  readonly message: string;
  readonly condition?: SampleCondition | undefined;
}

/**
 * Result of a call. Errors are sent as data, because a structured clone of an Error would lose its code.
 */
export type Outcome<T> = { readonly value: T } | { readonly error: CallError };

/**
 * Receives a part of a result that is too long for one message. The worker waits for the answer before it
 * sends the next part, so that the page is never flooded.
 */
export type OnPart<T> = (part: T) => void | Promise<void>;

/** Configuration of the worker, sent once before any other call. */
export interface WorkerConfiguration {
  /** Version of the package, to detect a worker file that is older or newer than the page's. */
  readonly version: string;
  /** Options of the constructor, unchecked. */
  readonly options: Omit<MakemoreOptions, "workerURL" | "assetsURL">;
  readonly files: AssetURLs;
  readonly measurements: Measurements;
  /** A Web Lock that the worker holds until it ends, so that the page notices its death. */
  readonly lockName: string;
}

/**
 * The worker's API for the page. The first argument of a call is its id. `abort(id)` ends a call soon; a
 * training keeps the steps that it has done. Once the call has ended, it answers with the model that the call left, if
 * that is the current one, because the call's own answer may be lost. `stop(id)` ends a training softly: it finishes its
 * setup, and returns its result so far.
 */
export interface WorkerAPI {
  configure(configuration: WorkerConfiguration): Promise<Outcome<void>>;
  train(
    id: number,
    options: PlainTrainOptions,
    words: EncodedWords,
    onEvent: (event: TrainEvent) => void,
  ): Promise<Outcome<TrainResult>>;
  resume(
    id: number,
    options: PlainResumeOptions,
    words: EncodedWords | undefined,
    onEvent: (event: TrainEvent) => void,
  ): Promise<Outcome<TrainResult>>;
  /** Sends all words to `onPart`, including those found before a failure. */
  sample(
    id: number,
    options: PlainSampleOptions,
    count: number,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
    avoid: EncodedWords | undefined,
  ): Promise<Outcome<void>>;
  /** Sends words until it is aborted; each part waits until the page asks for more. */
  words(
    id: number,
    options: PlainSampleOptions,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
    avoid: EncodedWords | undefined,
  ): Promise<Outcome<void>>;
  next(id: number, options: PlainNextOptions, prefix: string): Promise<Outcome<NextCharacter[]>>;
  score(
    id: number,
    options: PlainGroupOptions,
    words: EncodedWords,
    onPart: OnPart<ScoredWords>,
  ): Promise<Outcome<void>>;
  classify(
    id: number,
    options: NoOptions,
    words: EncodedWords,
    onPart: OnPart<Classification[]>,
  ): Promise<Outcome<void>>;
  evaluate(id: number, options: NoOptions, words: EncodedWords | undefined): Promise<Outcome<Losses>>;
  exportONNX(id: number, options: PlainExportOptions): Promise<Outcome<Uint8Array>>;
  load(
    id: number,
    onnx: Uint8Array,
    options: PlainLoadOptions,
    words: EncodedWords | undefined,
  ): Promise<Outcome<ModelInfo>>;
  save(id: number, options: NoOptions, name: string): Promise<Outcome<void>>;
  open(id: number, name: string): Promise<Outcome<ModelInfo>>;
  saved(id: number): Promise<Outcome<SavedModel[]>>;
  remove(id: number, name: string): Promise<Outcome<boolean>>;
  abort(id: number): Promise<Outcome<ModelInfo | undefined>>;
  stop(id: number): Promise<Outcome<undefined>>;
}

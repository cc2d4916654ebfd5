/**
 * What crosses the thread. Options cross as the caller gave them, less what cannot be cloned, and
 * are checked on the other side; words and files cross as bytes and are transferred. Types only.
 */
import type { AssetURLs } from "./assetURLs";
import type { MakemoreErrorCode } from "./errors";
import type {
  BackendMeasurement,
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

/** Options without what stays on the page's side. */
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
/** Those of `classify`, `evaluate` and `save`: none are left if all is well. */
export type NoOptions = Record<string, unknown>;

/** Words on their way to the worker, which come in pieces, because a long list is encoded in slices. */
export interface EncodedWords {
  /** Gives `WordsPiece`s, in order. */
  readonly port: MessagePort;
  /** Whether they came as one string, which may turn out to be something else, such as a CSV file. */
  readonly isText: boolean;
  /** If they are several lists: the name of each, and whether it came as one string. The pieces come list by list. */
  readonly groups?: readonly { readonly name: string; readonly isText: boolean }[];
}

/** UTF-8, one word a line, cut between any two characters; undefined after the last one of each list. */
export type WordsPiece = Uint8Array<ArrayBuffer> | undefined;

/** Words and their scores, in a form that crosses the thread fast. */
export interface ScoredWords {
  readonly words: readonly string[];
  /** For each word in turn: its characters' surprises, then its end's. */
  readonly surprises: Float32Array<ArrayBuffer>;
}

/** Words and what each group makes of them. */
export interface ClassifiedWords {
  readonly words: readonly string[];
  readonly groups: readonly string[];
  /** [words, groups] */
  readonly probabilities: Float64Array<ArrayBuffer>;
}

/** What `auto` measured, by model, batch size and optimiser. The page keeps it, for every worker it starts. */
export type Measurements = Map<string, BackendMeasurement[]>;

/** What the worker tells the page while a call is under way. */
export type TrainEvent = { model: ModelInfo; measurements: Measurements } | { progress: Progress };

/** What a call failed with. */
export interface CallError {
  readonly code: MakemoreErrorCode;
  readonly message: string;
  readonly condition?: SampleCondition | undefined;
}

/**
 * What a call came to. Errors travel as data: a structured clone of an Error would lose its code.
 */
export type Outcome<T> = { readonly value: T } | { readonly error: CallError };

/**
 * Takes a part of a result that is too long for one message; the worker waits for the answer before it
 * sends the next one, so that the page is never flooded.
 */
export type OnPart<T> = (part: T) => void | Promise<void>;

/** Told once, before any other call. */
export interface WorkerConfiguration {
  /** Of the package: a copy of the worker that was left behind by an update is found out. */
  readonly version: string;
  /** As given to the constructor, unchecked. */
  readonly options: Omit<MakemoreOptions, "workerURL" | "assetsURL">;
  readonly files: AssetURLs;
  readonly measurements: Measurements;
  /** A Web Lock that the worker holds for life, so that the page learns of its death. */
  readonly lockName: string;
}

/**
 * The worker as the page sees it. A call takes an id first; `abort(id)` makes it end soon, with what it
 * has: a training keeps what it learned. `stop(id)` ends a training softly: its setup goes on, and it
 * returns its result so far.
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
  /** All words go to `onPart`, also those that were found before it failed. */
  sample(
    id: number,
    options: PlainSampleOptions,
    count: number,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
    avoid: EncodedWords | undefined,
  ): Promise<Outcome<void>>;
  /** Words without end, until it is aborted; each part waits until the page asks for more. */
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
    onPart: OnPart<ClassifiedWords>,
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
  abort(id: number): void;
  stop(id: number): void;
}

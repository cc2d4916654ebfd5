/**
 * What crosses the thread. Options cross as the caller gave them, less what cannot be cloned, and
 * are checked on the other side; words and files cross as bytes and are transferred. Types only.
 */
import type { MakemoreErrorCode } from "./errors";
import type { Files } from "./files";
import type {
  BackendMeasurement,
  ExportOptions,
  LoadOptions,
  Losses,
  MakemoreOptions,
  ModelInfo,
  Progress,
  ResumeOptions,
  SampleOptions,
  TrainOptions,
  TrainResult,
  WordScore,
} from "./types";

/** Options without what stays on the page's side. */
export type PlainTrainOptions = Omit<TrainOptions, "onProgress" | "signal">;
export type PlainResumeOptions = Omit<ResumeOptions, "onProgress" | "signal" | "words">;
export type PlainSampleOptions = Omit<SampleOptions, "signal" | "novel"> & { novel?: boolean };
export type PlainLoadOptions = Omit<LoadOptions, "words">;

/** Words on their way to the worker. */
export interface EncodedWords {
  /** UTF-8, one word a line. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether they came as one string, which may turn out to be something else, such as a CSV file. */
  readonly isText: boolean;
}

/** What `auto` measured, by model, batch size and optimiser. The page keeps it, for every worker it starts. */
export type Measurements = Map<string, BackendMeasurement[]>;

/** What the worker tells the page while a call is under way. */
export type TrainEvent = { model: ModelInfo; measurements: Measurements } | { progress: Progress };

/**
 * What a call came to. Errors travel as data: a structured clone of an Error would lose its code.
 */
export type Outcome<T> =
  | { readonly value: T }
  | { readonly error: { readonly code: MakemoreErrorCode; readonly message: string } };

/** Told once, before any other call. */
export interface WorkerConfiguration {
  /** Of the package: a copy of the worker that was left behind by an update is found out. */
  readonly version: string;
  /** As given to the constructor, unchecked. */
  readonly options: Omit<MakemoreOptions, "workerURL" | "assetsURL">;
  readonly files: Files;
  readonly measurements: Measurements;
  /** A Web Lock that the worker holds for life, so that the page learns of its death. */
  readonly lockName: string;
}

/**
 * The worker as the page sees it. A call that can be stopped takes an id first; `abort(id)` makes
 * it end soon, with what it has: a training keeps what it learned. `stop(id)` ends a training softly: its
 * setup goes on, and it returns its result so far.
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
  sample(
    id: number,
    options: PlainSampleOptions,
    count: number,
    novel: EncodedWords | undefined,
  ): Promise<Outcome<string[]>>;
  score(words: EncodedWords): Promise<Outcome<WordScore[]>>;
  evaluate(words: EncodedWords | undefined): Promise<Outcome<Losses>>;
  exportONNX(options: ExportOptions): Promise<Outcome<Uint8Array>>;
  load(
    onnx: Uint8Array,
    options: PlainLoadOptions,
    words: EncodedWords | undefined,
  ): Promise<Outcome<ModelInfo>>;
  abort(id: number): void;
  stop(id: number): void;
}

/**
 * The page's side. Think of a `Makemore` as one model and the worker where it lives: every method
 * is a message to that worker, and this class only sees to it that each one is answered, once.
 * The worker starts at the first call that needs it.
 */
import { proxy, transfer } from "comlink";
import { Connection, measurements } from "./connection";
import { MakemoreError } from "./errors";
import { checkOptions } from "./options";
import type { Outcome, TrainEvent } from "./protocol";
import { show } from "./show";
import type {
  ExportOptions,
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
import { encodeWords } from "./words";

type API = Parameters<Parameters<Connection["race"]>[0]>[0];

/** A character-level language model that trains, samples and scores words in a Web Worker. */
export class Makemore {
  readonly #options: MakemoreOptions;
  #connection: Connection | undefined;
  #model: ModelInfo | undefined;
  #disposed = false;
  #calls = 0;

  /**
   * Starts nothing yet.
   *
   * @param options which backend trains, and where the package's files are
   */
  constructor(options: MakemoreOptions = {}) {
    checkOptions("new Makemore", options);
    this.#options = options;
  }

  /** The model as it stands: architecture, layers with shapes, parameters. Undefined before there is one. */
  get model(): ModelInfo | undefined {
    return this.#model;
  }

  /**
   * Trains a new model on words, in place of the one there was.
   *
   * @param words any iterable of strings, or one string with a word a line, which costs the page less
   *   where there are a million. Ends are trimmed, empty words dropped; a character is a Unicode code
   *   point after NFC
   * @throws MakemoreError `INVALID_WORDS`, `INVALID_OPTION`, `INVALID_MODEL` (the old model stays),
   *   `BUSY` while another training runs, `DIVERGED`, `LOAD_FAILED`, `WORKER_FAILED`, `DISPOSED`;
   *   the signal's reason when it aborts; what `onProgress` throws
   */
  async train(words: Iterable<string> | string, options: TrainOptions = {}): Promise<TrainResult> {
    checkOptions("train", options, ["onProgress"]);
    const { onProgress, signal, ...plain } = options;
    const bytes = encodeWords(words, "train");
    return this.#learn("train", onProgress, signal, (api, id, onEvent) =>
      api.train(id, plain, transfer(bytes, [bytes.buffer]), onEvent),
    );
  }

  /**
   * Goes on from where training stands: after an abort, after `load` (with the words), or beyond
   * the end with a new total of `steps`. A resumed training learns what an unbroken one would have.
   *
   * @throws MakemoreError as `train`, and `NO_MODEL`, `NO_WORDS`
   */
  async resume(options: ResumeOptions = {}): Promise<TrainResult> {
    checkOptions("resume", options, ["onProgress"]);
    const { onProgress, signal, words, ...plain } = options;
    const bytes = words === undefined ? undefined : encodeWords(words, "resume");
    return this.#learn("resume", onProgress, signal, (api, id, onEvent) =>
      api.resume(id, plain, bytes && transfer(bytes, [bytes.buffer]), onEvent),
    );
  }

  /**
   * New words from the model, also while it trains.
   *
   * @param count how many. Default 10, at most 1,000,000
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`, and `SAMPLING_FAILED` where the options
   *   leave fewer words than were asked for; the signal's reason when it aborts
   */
  async sample(count = 10, options: SampleOptions = {}): Promise<string[]> {
    checkOptions("sample", options);
    const { signal, ...plain } = options;
    return this.#stoppable("sample", signal, (api, id) => api.sample(id, plain, count));
  }

  /**
   * What the model makes of each word: its log-likelihood in nats, and the surprise of each of its
   * characters. Words are trimmed and in NFC; empty ones are left out.
   *
   * @throws MakemoreError `NO_MODEL`, and `INVALID_WORDS` for a character the model never saw
   */
  async score(words: Iterable<string> | string): Promise<WordScore[]> {
    const bytes = encodeWords(words, "score");
    return this.#call((api) => api.score(transfer(bytes, [bytes.buffer])));
  }

  /**
   * Mean cross entropy over whole splits, in evaluation mode, nats per character.
   *
   * @param words default: the words of the training. Others are split as those were
   * @throws MakemoreError `NO_MODEL`, `NO_WORDS`, `INVALID_WORDS`
   */
  async evaluate(words?: Iterable<string> | string): Promise<Losses> {
    const bytes = words === undefined ? undefined : encodeWords(words, "evaluate");
    return this.#call((api) => api.evaluate(bytes && transfer(bytes, [bytes.buffer])));
  }

  /**
   * The model as one self-contained .onnx file: it samples anywhere ONNX runs, and `load` goes on
   * from it.
   *
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`
   */
  async exportONNX(options: ExportOptions = {}): Promise<Uint8Array> {
    checkOptions("exportONNX", options);
    return this.#call((api) => api.exportONNX(options));
  }

  /**
   * Takes the model out of a file that `exportONNX` wrote, to sample, score or resume from it.
   *
   * @throws MakemoreError `INVALID_ONNX` for a file that is not ours or is damaged (the current model
   *   stays), `BUSY` while a training runs
   */
  async load(onnx: Uint8Array | ArrayBuffer | Blob): Promise<void> {
    const bytes = await copyBytes(onnx);
    this.#model = await this.#call((api) => api.load(transfer(bytes, [bytes.buffer])));
  }

  /** Stops the worker; calls in flight reject with `DISPOSED`, and so does every later one. */
  dispose(): void {
    this.#disposed = true;
    this.#model = undefined;
    this.#connection?.end(disposed());
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** As `dispose`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  async #call<T>(call: (api: API) => Promise<Outcome<T>>): Promise<T> {
    return this.#connect().race(call);
  }

  #connect(): Connection {
    if (this.#disposed) throw disposed();
    this.#connection ??= new Connection(this.#options, (ended) => {
      if (this.#connection !== ended) return;
      this.#connection = undefined;
      this.#model = undefined;
    });
    return this.#connection;
  }

  /** A call that may be stopped: it is asked to end, and rejects with the reason once it has. */
  async #stoppable<T>(
    name: string,
    signal: AbortSignal | undefined,
    call: (api: API, id: number, stop: AbortController) => Promise<Outcome<T>>,
  ): Promise<T> {
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: signal is ${show(signal)}; it must be an AbortSignal.`,
      );
    signal?.throwIfAborted();
    const connection = this.#connect();
    const id = ++this.#calls;
    const stop = new AbortController();
    stop.signal.addEventListener("abort", () => connection.abort(id));
    const follow = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", follow);
    try {
      return await connection.race((api) => call(api, id, stop));
    } finally {
      signal?.removeEventListener("abort", follow);
      // Whatever it came to.
      stop.signal.throwIfAborted();
    }
  }

  async #learn(
    name: string,
    onProgress: ((progress: Progress) => void) | undefined,
    signal: AbortSignal | undefined,
    call: (api: API, id: number, onEvent: (event: TrainEvent) => void) => Promise<Outcome<TrainResult>>,
  ): Promise<TrainResult> {
    if (onProgress !== undefined && typeof onProgress !== "function")
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: onProgress is ${show(onProgress)}; it must be a function.`,
      );
    let over = false;
    try {
      const result = await this.#stoppable(name, signal, (api, id, stop) => {
        const onEvent = (event: TrainEvent) => {
          // A message may still be on its way when the worker is gone.
          if (over) return;
          if ("model" in event) {
            this.#model = event.model;
            for (const [key, measured] of event.measurements) measurements.set(key, measured);
            return;
          }
          if (this.#model) this.#model = { ...this.#model, step: event.progress.step };
          // After the call was stopped nobody is told any more.
          if (stop.signal.aborted) return;
          try {
            onProgress?.(event.progress);
          } catch (reason) {
            stop.abort(reason);
          }
        };
        return call(api, id, proxy(onEvent));
      });
      this.#model = result.model;
      return result;
    } finally {
      over = true;
    }
  }
}

/** A copy to give away: what the caller holds stays theirs. */
async function copyBytes(onnx: Uint8Array | ArrayBuffer | Blob): Promise<Uint8Array<ArrayBuffer>> {
  if (onnx instanceof Blob)
    return new Uint8Array(
      await onnx.arrayBuffer().catch((cause) => {
        throw new MakemoreError("INVALID_ONNX", `load: the file cannot be read: ${cause}`, { cause });
      }),
    );
  if (onnx instanceof Uint8Array) return new Uint8Array(onnx);
  if (onnx instanceof ArrayBuffer) return new Uint8Array(onnx.slice(0));
  throw new MakemoreError(
    "INVALID_ONNX",
    `load: the file is ${show(onnx)}; it must be a Uint8Array, an ArrayBuffer or a Blob.`,
  );
}

function disposed(): MakemoreError {
  return new MakemoreError("DISPOSED", "This Makemore was disposed; make a new one.");
}

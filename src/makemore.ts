/**
 * The page's side. Think of a `Makemore` as one model and the worker where it lives: every method
 * is a message to that worker, and this class only sees to it that each one is answered, once.
 * The worker starts at the first call that needs it.
 */
import { proxy, transfer } from "comlink";
import { Connection, measurements } from "./connection";
import { MakemoreError } from "./errors";
import { copyOptions } from "./options";
import type { EncodedWords, Outcome, TrainEvent } from "./protocol";
import { kindOf, show } from "./show";
import type {
  ExportOptions,
  LoadOptions,
  Losses,
  MakemoreOptions,
  ModelInfo,
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
  /** Each ends a training that is under way. */
  readonly #stops = new Set<() => void>();

  /**
   * Starts nothing yet.
   *
   * @param options which backend trains, and where the package's files are
   */
  constructor(options: MakemoreOptions = {}) {
    this.#options = copyOptions("new Makemore", options, ["assetsURL", "workerURL"]);
  }

  /** Names the class, which also keeps Vue from wrapping an instance in a reactive proxy. */
  get [Symbol.toStringTag](): string {
    return "Makemore";
  }

  /** The model as it stands: architecture, layers with shapes, parameters. Undefined before there is one. */
  get model(): ModelInfo | undefined {
    Makemore.#check(this, "model");
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
    Makemore.#check(this, "train");
    const { onProgress, signal, ...plain } = copyOptions("train", options, ["onProgress", "signal"]);
    const encoded = encodeWords(words, "train");
    return this.#learn("train", onProgress, signal, (api, id, onEvent) =>
      api.train(id, plain, giveAway(encoded), onEvent),
    );
  }

  /**
   * Goes on from where training stands: after an abort, after `load` (with the words), or beyond
   * the end with a new total of `steps`. A resumed training learns what an unbroken one would have.
   *
   * @throws MakemoreError as `train`, and `NO_MODEL`, `NO_WORDS`
   */
  async resume(options: ResumeOptions = {}): Promise<TrainResult> {
    Makemore.#check(this, "resume");
    const { onProgress, signal, words, ...plain } = copyOptions("resume", options, [
      "onProgress",
      "signal",
      "words",
    ]);
    const encoded = words === undefined ? undefined : encodeWords(words, "resume");
    return this.#learn("resume", onProgress, signal, (api, id, onEvent) =>
      api.resume(id, plain, giveAway(encoded), onEvent),
    );
  }

  /**
   * Ends the training under way: `train` or `resume` resolves with the result so far and `stopped: true`, and
   * `resume` goes on from there. A training that is still being set up ends when its engine is ready, at step 0.
   * Does nothing when no training is under way, or a second time.
   */
  stop(): void {
    Makemore.#check(this, "stop");
    for (const stop of this.#stops) stop();
  }

  /**
   * New words from the model, also while it trains.
   *
   * @param count how many. Default 10, at most 1,000,000
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`, and `SAMPLING_FAILED` where the options
   *   leave fewer words than were asked for; the signal's reason when it aborts
   */
  async sample(count = 10, options: SampleOptions = {}): Promise<string[]> {
    Makemore.#check(this, "sample");
    copyOptions("sample", { count });
    const { signal, novel, ...plain } = copyOptions("sample", options, ["signal", "novel"]);
    const isList = novel !== undefined && typeof novel !== "boolean";
    const encoded = isList ? encodeWords(novel, "sample: novel") : undefined;
    return this.#stoppable("sample", signal, (api, id) =>
      api.sample(id, { ...plain, novel: novel !== undefined && novel !== false }, count, giveAway(encoded)),
    );
  }

  /**
   * What the model makes of each word: its log-likelihood in nats, and the surprise of each of its
   * characters. Words are trimmed and in NFC; empty ones are left out.
   *
   * @throws MakemoreError `NO_MODEL`, and `INVALID_WORDS` for a character the model never saw
   */
  async score(words: Iterable<string> | string): Promise<WordScore[]> {
    Makemore.#check(this, "score");
    const encoded = encodeWords(words, "score");
    return this.#call((api) => api.score(giveAway(encoded)));
  }

  /**
   * Mean cross entropy over whole splits, in evaluation mode, nats per character.
   *
   * @param words default: the words of the training. Others are split as those were
   * @throws MakemoreError `NO_MODEL`, `NO_WORDS`, `INVALID_WORDS`
   */
  async evaluate(words?: Iterable<string> | string): Promise<Losses> {
    Makemore.#check(this, "evaluate");
    const encoded = words === undefined ? undefined : encodeWords(words, "evaluate");
    return this.#call((api) => api.evaluate(giveAway(encoded)));
  }

  /**
   * The model as one self-contained .onnx file: it samples anywhere ONNX runs, and `load` goes on
   * from it.
   *
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`
   */
  async exportONNX(options: ExportOptions = {}): Promise<Uint8Array> {
    Makemore.#check(this, "exportONNX");
    const plain = copyOptions("exportONNX", options);
    return this.#call((api) => api.exportONNX(plain));
  }

  /**
   * Takes the model out of a file that `exportONNX` wrote, to sample, score or resume from it.
   *
   * @throws MakemoreError `INVALID_ONNX` for a file that is not ours or is damaged (the current model
   *   stays), `INVALID_WORDS` for words other than the training's, `BUSY` while a training runs
   */
  async load(onnx: Uint8Array | ArrayBuffer | Blob | Response, options: LoadOptions = {}): Promise<void> {
    Makemore.#check(this, "load");
    const { words, ...plain } = copyOptions("load", options, ["words"]);
    const encoded = words === undefined ? undefined : encodeWords(words, "load");
    const bytes = await copyBytes(onnx);
    this.#model = await this.#call((api) =>
      api.load(transfer(bytes, [bytes.buffer]), plain, giveAway(encoded)),
    );
  }

  /** Stops the worker; calls in flight reject with `DISPOSED`, and so does every later one. */
  dispose(): void {
    Makemore.#check(this, "dispose");
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

  /** Refuses a `this` that is a proxy of an instance, or none: it has no private fields. */
  static #check(self: unknown, member: string): void {
    if (typeof self === "object" && self !== null && #options in self) return;
    throw new MakemoreError(
      "UNSUPPORTED",
      self === undefined
        ? `${member}: it was called without its Makemore; call it as mm.${member}(…).`
        : `${member}: this Makemore is wrapped in a proxy (reactive state); keep the instance itself: markRaw(mm) in Vue, ref(mm) in Valtio, observable.ref in MobX.`,
    );
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
    // By what it can do: a signal of another realm (an iframe's) is no instance of this one's class.
    if (
      signal !== undefined &&
      (typeof signal?.aborted !== "boolean" || typeof signal.addEventListener !== "function")
    )
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: signal is ${show(signal)}; it must be an AbortSignal.`,
      );
    const stop = new AbortController();
    if (signal?.aborted) stop.abort(signal.reason);
    stop.signal.throwIfAborted();
    const connection = this.#connect();
    const id = ++this.#calls;
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
    onProgress: TrainOptions["onProgress"],
    signal: AbortSignal | undefined,
    call: (api: API, id: number, onEvent: (event: TrainEvent) => void) => Promise<Outcome<TrainResult>>,
  ): Promise<TrainResult> {
    if (onProgress !== undefined && typeof onProgress !== "function")
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: onProgress is ${show(onProgress)}; it must be a function.`,
      );
    let over = false;
    let stopped = false;
    let tell = () => {};
    const softly = () => {
      if (stopped) return;
      stopped = true;
      tell();
    };
    this.#stops.add(softly);
    try {
      const result = await this.#stoppable(name, signal, (api, id, stop) => {
        tell = () => void api.stop(id);
        if (stopped) tell();
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
            Promise.resolve(onProgress?.(event.progress)).catch((reason) => {
              // Too late to stop anything: leave it an unhandled rejection.
              if (over) throw reason;
              stop.abort(reason);
            });
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
      this.#stops.delete(softly);
    }
  }
}

/** Marks encoded words to be moved to the worker, not copied. */
function giveAway<Words extends EncodedWords | undefined>(words: Words): Words {
  return words && transfer(words, [words.bytes.buffer]);
}

/** A copy to give away: what the caller holds stays theirs. */
async function copyBytes(onnx: Uint8Array | ArrayBuffer | Blob | Response): Promise<Uint8Array<ArrayBuffer>> {
  // By what it is and can do: objects of another realm (an iframe's) are no instances of this one's classes.
  try {
    if (ArrayBuffer.isView(onnx))
      return new Uint8Array(onnx.buffer, onnx.byteOffset, onnx.byteLength).slice();
    if (isArrayBuffer(onnx)) return new Uint8Array(onnx).slice();
    if (typeof onnx?.arrayBuffer === "function") return new Uint8Array(await onnx.arrayBuffer());
  } catch (cause) {
    throw new MakemoreError("INVALID_ONNX", `load: the file cannot be read: ${cause}`, { cause });
  }
  const kind = kindOf(onnx);
  const fix = kind === "Promise" ? ": await it" : kind === "String" ? ": fetch what it names" : "";
  throw new MakemoreError(
    "INVALID_ONNX",
    `load: the file is ${show(onnx)}${fix}; it must be a Uint8Array, an ArrayBuffer, a Blob or a Response.`,
  );
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return /^(Shared)?ArrayBuffer$/.test(kindOf(value));
}

function disposed(): MakemoreError {
  return new MakemoreError("DISPOSED", "This Makemore was disposed; make a new one.");
}

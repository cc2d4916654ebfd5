/**
 * The page's side of the library. A `Makemore` is one model and the worker that holds it: every method sends a message
 * to the worker, and this class makes sure that each call settles exactly once. The worker starts with the first call
 * that needs it.
 */
import { transfer } from "comlink";
import { callback } from "./callbacks";
import { Connection, measurements } from "./connection";
import { copyOptions } from "./copyOptions";
import { MakemoreError } from "./errors";
import { formatValue, kindOf } from "./formatValue";
import type { EncodedWords, Outcome, ScoredWords, TrainEvent } from "./protocol";
import { reading } from "./reading";
import { wordScores } from "./scores";
import { delay, inSlices, type Work } from "./slices";
import type {
  Classification,
  ClassifyOptions,
  EvaluateOptions,
  ExportOptions,
  LoadOptions,
  Losses,
  MakemoreOptions,
  ModelInfo,
  NextCharacter,
  NextOptions,
  ResumeOptions,
  SampleOptions,
  SavedModel,
  SaveOptions,
  ScoreOptions,
  TrainOptions,
  TrainResult,
  WordGroups,
  WordScore,
  Words,
} from "./types";
import { WordSender } from "./wordSender";

/** How long an aborted call waits for the worker before it rejects, ms. */
const STOP_MS = 500;

type API = Parameters<Parameters<Connection["race"]>[0]>[0];

/** A character-level language model that trains, samples and scores words in a Web Worker. */
export class Makemore {
  readonly #options: MakemoreOptions;
  #connection: Connection | undefined;
  #model: ModelInfo | undefined;
  #disposed = false;
  #calls = 0;
  /** One function per running training; it ends that training. */
  readonly #stops = new Set<() => void>();

  /**
   * Creates an instance without a model. The worker starts later, with the first call that needs it.
   *
   * @param options which backend trains, and where the package's files are
   *
   * @example
   * ```ts
   * const mm = new Makemore({ backend: "wasm" });
   * ```
   */
  constructor(options: MakemoreOptions = {}) {
    this.#options = copyOptions("new Makemore", options);
  }

  /** Names the class, which also keeps Vue from wrapping an instance in a reactive proxy. */
  get [Symbol.toStringTag](): string {
    return "Makemore";
  }

  /**
   * The current model: layers with shapes, vocabulary, parameter count. Undefined before there is one.
   *
   * @example
   * ```ts
   * console.log(mm.model?.parameters, mm.model?.vocabulary);
   * ```
   */
  get model(): ModelInfo | undefined {
    Makemore.#check(this, "model");
    return this.#model;
  }

  /**
   * Trains a new model on words. It replaces the current model.
   *
   * @param words any iterable of strings, or one string with one word per line, which is cheaper for the page if there
   *   are a million words. Words are trimmed and converted to NFC, and empty ones are left out; a character is a Unicode
   *   code point. Or several such lists by name, `{ elves: [...], dwarves: [...] }`, for one model that knows which list
   *   a word belongs to (docs/groups.md)
   * @throws MakemoreError `INVALID_WORDS`, `INVALID_OPTION` and `INVALID_MODEL` (the current model stays), `BUSY` while
   *   another training runs, `DIVERGED`, `LOAD_FAILED`, `WORKER_FAILED`, `DISPOSED`; the signal's reason when it aborts;
   *   whatever `onProgress` throws
   *
   * @example
   * ```ts
   * const { backend, notices } = await mm.train(words, {
   *   steps: 2000,
   *   onProgress: ({ step, loss }) => console.log(step, loss),
   * });
   * ```
   */
  async train(words: Words | WordGroups, options: TrainOptions = {}): Promise<TrainResult> {
    Makemore.#check(this, "train");
    const { onProgress, signal, ...plain } = copyOptions("train", options);
    const sender = new WordSender(words, "train");
    return this.#learn("train", { onProgress, signal, sender }, (api, id, onEvent) =>
      api.train(id, plain, giveAway(sender), onEvent),
    );
  }

  /**
   * Continues the training: after an abort or `stop`, after `load` (which needs the words), or beyond the planned end
   * with a new total of `steps`. A resumed training learns the same as an uninterrupted one.
   *
   * @throws MakemoreError like `train`, and `NO_MODEL`, `NO_WORDS`
   *
   * @example
   * ```ts
   * await mm.load(await fetch("/towns.onnx"), { words });
   * await mm.resume({ steps: 10000 });
   * ```
   */
  async resume(options: ResumeOptions = {}): Promise<TrainResult> {
    Makemore.#check(this, "resume");
    const { onProgress, signal, words, ...plain } = copyOptions("resume", options);
    const sender = words === undefined ? undefined : new WordSender(words, "resume");
    return this.#learn("resume", { onProgress, signal, sender }, (api, id, onEvent) =>
      api.resume(id, plain, giveAway(sender), onEvent),
    );
  }

  /**
   * Ends the running training: `train` or `resume` resolves with the result so far and `stopped: true`. `resume` can
   * continue from there. A training that is still starting ends at step 0, once its engine is ready. Does nothing if no
   * training runs, or if it was called before.
   *
   * @example
   * ```ts
   * setTimeout(() => mm.stop(), 5000);
   * const { stopped } = await mm.train(words);
   * ```
   */
  stop(): void {
    Makemore.#check(this, "stop");
    for (const stop of this.#stops) stop();
  }

  /**
   * Samples new words from the model. Also works during a training.
   *
   * @param count number of words, 1 to 1,000,000. Default 10
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`, `INVALID_WORDS` if `avoid` or `novel` is not a list of words,
   *   `NO_WORDS`, and `SAMPLING_FAILED` if too few words meet the conditions (the error's `words` are those that were
   *   found); the signal's reason when it aborts
   *
   * @example
   * ```ts
   * const names = await mm.sample(10, { prefix: "ma", temperature: 0.8, novel: true });
   * ```
   */
  async sample(count = 10, options: SampleOptions = {}): Promise<string[]> {
    Makemore.#check(this, "sample");
    copyOptions("sample", { count });
    const { plain, ...rest } = samplingOptions("sample", options);
    const found: string[] = [];
    const onPart = (words: string[]) => void found.push(...words);
    try {
      await this.#stoppable("sample", rest, (api, id, stop) =>
        api.sample(id, plain, count, giveAway(rest.sender), callback(onPart, stop), giveAway(rest.avoid)),
      );
      return found;
    } catch (error) {
      if (!(error instanceof MakemoreError) || error.code !== "SAMPLING_FAILED") throw error;
      throw new MakemoreError(error.code, error.message, { words: found, condition: error.condition });
    }
  }

  /**
   * Samples new words without end: `for await (const word of mm.words()) …`. All of them come from the model as it was
   * at the first word, even during a training. `break` ends the sampling. The worker samples at most 2,000 words ahead
   * of the reader.
   *
   * @throws MakemoreError like `sample`; `SAMPLING_FAILED` once no more words meet the conditions
   *
   * @example
   * ```ts
   * for await (const word of mm.words({ unique: true })) {
   *   if (word.length > 8) break;
   * }
   * ```
   */
  async *words(options: Omit<SampleOptions, "orderBy"> = {}): AsyncGenerator<string, void, undefined> {
    Makemore.#check(this, "words");
    const { plain, ...rest } = samplingOptions("words", options);
    const { signal } = rest;
    let taken = () => {};
    let end = () => {};
    let call: Promise<void> | undefined;
    const parts = new ReadableStream<string[]>({
      start: (controller) => {
        const onPart = (words: string[]) =>
          new Promise<void>((resolve) => {
            taken = resolve;
            controller.enqueue(words);
          });
        call = this.#stoppable("words", rest, (api, id, stop) => {
          end = () => stop.abort();
          return api.words(id, plain, giveAway(rest.sender), callback(onPart, stop), giveAway(rest.avoid));
        }).then(
          () => controller.close(),
          (error) => controller.error(error),
        );
      },
      // The previous part was read: let the worker sample the next one meanwhile.
      pull: () => taken(),
      cancel: () => {
        end();
        return call;
      },
    }).getReader();
    try {
      for (;;) {
        const { done, value } = await parts.read();
        if (done) return;
        for (const word of value) {
          yield word;
          if (signal?.aborted) throw signal.reason;
        }
      }
    } finally {
      await parts.cancel().catch(() => {});
    }
  }

  /**
   * Returns every character that may come next in a word, with its probability, the likeliest first. The end of the
   * word is "".
   *
   * @param prefix how the word begins; it is converted to NFC, and spaces before it are dropped. Default "": predicts
   *   the first character
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION` for a character that the model never saw; the signal's reason
   *   when it aborts
   *
   * @example
   * ```ts
   * for (const { character, probability } of await mm.next("mar")) console.log(character, probability);
   * ```
   */
  async next(prefix = "", options: NextOptions = {}): Promise<NextCharacter[]> {
    Makemore.#check(this, "next");
    copyOptions("next", { prefix });
    const { signal, ...plain } = copyOptions("next", options);
    return this.#stoppable("next", { signal }, (api, id) => api.next(id, plain, prefix));
  }

  /**
   * Scores words: returns the log-likelihood of each word and the surprise of each of its characters, in nats. Words are
   * trimmed and converted to NFC, and empty ones are left out.
   *
   * @throws MakemoreError `NO_MODEL`, `INVALID_WORDS` for a character that the model never saw, `INVALID_OPTION` for a
   *   group that it does not have; the signal's reason when it aborts
   *
   * @example
   * ```ts
   * const [score] = await mm.score(["emma"]);
   * console.log(score?.logLikelihood, score?.surprises);
   * ```
   */
  async score(words: Words, options: ScoreOptions = {}): Promise<WordScore[]> {
    Makemore.#check(this, "score");
    const { signal, ...plain } = copyOptions("score", options);
    const sender = new WordSender(words, "score");
    const scores: WordScore[] = [];
    await this.#stoppable("score", { signal, sender }, (api, id, stop) => {
      const onPart = async (part: ScoredWords) =>
        void scores.push(...(await inSlices(wordScores(part), stop.signal)));
      return api.score(id, plain, giveAway(sender), callback(onPart, stop));
    });
    return scores;
  }

  /**
   * Returns the probability that each word belongs to each group, for a model that was trained on several lists. Computed
   * by Bayes' rule from the log-likelihoods of `score`, with equal priors: how many words a group had does not matter.
   *
   * @param words as for `score`; a string with a single word is fine
   * @throws MakemoreError `NO_MODEL`, `INVALID_WORDS` for a character that the model never saw, `INVALID_MODEL` for a
   *   model without groups; the signal's reason when it aborts
   *
   * @example
   * ```ts
   * await mm.train({ elves: ["galadriel", "elrond"], dwarves: ["gimli", "balin"] });
   * const [found] = await mm.classify(["thorin"]);
   * console.log(found?.group, found?.probabilities);
   * ```
   */
  async classify(words: Words, options: ClassifyOptions = {}): Promise<Classification[]> {
    Makemore.#check(this, "classify");
    const { signal, ...plain } = copyOptions("classify", options);
    const sender = new WordSender(words, "classify");
    const found: Classification[] = [];
    await this.#stoppable("classify", { signal, sender }, (api, id, stop) => {
      const onPart = (part: Classification[]) => void found.push(...part);
      return api.classify(id, plain, giveAway(sender), callback(onPart, stop));
    });
    return found;
  }

  /**
   * Returns the mean cross entropy of each whole split, in evaluation mode, in nats per character.
   *
   * @param words default: the words of the training. Other words are split in the same way. If the training had groups,
   *   give the words in the same groups; each word is evaluated as a member of its group
   * @throws MakemoreError `NO_MODEL`, `NO_WORDS`, `INVALID_WORDS`; the signal's reason when it aborts
   *
   * @example
   * ```ts
   * const { train, validation, test } = await mm.evaluate();
   * ```
   */
  async evaluate(words?: Words | WordGroups, options: EvaluateOptions = {}): Promise<Losses> {
    Makemore.#check(this, "evaluate");
    const { signal, ...plain } = copyOptions("evaluate", options);
    const sender = words === undefined ? undefined : new WordSender(words, "evaluate");
    return this.#stoppable("evaluate", { signal, sender }, (api, id) =>
      api.evaluate(id, plain, giveAway(sender)),
    );
  }

  /**
   * Exports the model as one self-contained .onnx file. It runs wherever ONNX runs, and `load` reads it back.
   *
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`, `INVALID_MODEL` for a form that the model does not have; the
   *   signal's reason when it aborts
   *
   * @example
   * ```ts
   * const file = new Blob([(await mm.exportONNX()).slice()]);
   * ```
   */
  async exportONNX(options: ExportOptions = {}): Promise<Uint8Array> {
    Makemore.#check(this, "exportONNX");
    const { signal, ...plain } = copyOptions("exportONNX", options);
    return this.#stoppable("exportONNX", { signal }, (api, id) => api.exportONNX(id, plain));
  }

  /**
   * Loads a model from a file that `exportONNX` wrote, to sample, score or resume. It replaces the current model.
   *
   * @throws MakemoreError `INVALID_ONNX` for a damaged file or one that `exportONNX` did not write (the current model
   *   stays), `INVALID_WORDS` for words other than those of the training, `BUSY` while a training runs; the signal's
   *   reason when it aborts
   *
   * @example
   * ```ts
   * await mm.load(await fetch("/towns.onnx"), { words });
   * ```
   */
  async load(onnx: Uint8Array | ArrayBuffer | Blob | Response, options: LoadOptions = {}): Promise<void> {
    Makemore.#check(this, "load");
    const { words, signal, ...plain } = copyOptions("load", options);
    const sender = words === undefined ? undefined : new WordSender(words, "load");
    await this.#stoppable("load", { signal, sender }, async (api, id, stop) => {
      const bytes = await copyBytes(onnx, stop.signal);
      stop.signal.throwIfAborted();
      const outcome = await api.load(id, transfer(bytes, [bytes.buffer]), plain, giveAway(sender));
      // Also if the abort came too late: the worker has the new model by now.
      if ("value" in outcome) this.#model = outcome.value;
      return outcome;
    });
  }

  /**
   * Saves the model in the browser's storage for this origin, together with its training state and its words, so that
   * `novel`, `evaluate` and `resume` work right after `Makemore.open`. During a training, it saves the current weights.
   * A model with the same name is replaced as a whole; if two tabs save under one name, the last one wins.
   *
   * @param name any string that is not empty
   * @throws MakemoreError `NO_MODEL`, `INVALID_OPTION`, `STORAGE_FAILED` if the browser allows no storage here or has no
   *   room left (the name keeps its old model); the signal's reason when it aborts
   *
   * @example
   * ```ts
   * await mm.save("towns");
   * ```
   */
  async save(name: string, options: SaveOptions = {}): Promise<void> {
    Makemore.#check(this, "save");
    copyOptions("save", { name });
    const { signal, ...plain } = copyOptions("save", options);
    return this.#stoppable("save", { signal }, (api, id) => api.save(id, plain, name));
  }

  /**
   * Opens a model that `save` or `saveAs` saved, with its words, in a new `Makemore`.
   *
   * @param options as for the constructor
   * @throws MakemoreError `NOT_SAVED` if no model has that name, `STORAGE_FAILED`, `UNSUPPORTED` for a model that a later
   *   version of this package saved, `INVALID_ONNX` for a damaged one, `INVALID_OPTION`, `LOAD_FAILED`
   *
   * @example
   * ```ts
   * const towns = await Makemore.open("towns");
   * console.log(await towns.sample(10));
   * ```
   */
  static async open(name: string, options: MakemoreOptions = {}): Promise<Makemore> {
    copyOptions("open", { name });
    const mm = new Makemore(options);
    try {
      mm.#model = await mm.#stoppable("open", {}, (api, id) => api.open(id, name));
      return mm;
    } catch (error) {
      mm.dispose();
      throw error;
    }
  }

  /**
   * Lists the models that are saved on this origin, sorted by name. Starts a worker for the call and ends it after.
   *
   * @param options as for the constructor
   * @throws MakemoreError `STORAGE_FAILED`, `INVALID_OPTION`, `LOAD_FAILED`
   *
   * @example
   * ```ts
   * for (const { name, date } of await Makemore.saved()) console.log(name, date);
   * ```
   */
  static saved(options: MakemoreOptions = {}): Promise<SavedModel[]> {
    return Makemore.#once("saved", options, (api, id) => api.saved(id));
  }

  /**
   * Removes a saved model and its words. Starts a worker for the call and ends it after.
   *
   * @param options as for the constructor
   * @returns whether there was a model with that name
   * @throws MakemoreError `STORAGE_FAILED`, `INVALID_OPTION`, `LOAD_FAILED`
   *
   * @example
   * ```ts
   * await Makemore.remove("towns");
   * ```
   */
  static async remove(name: string, options: MakemoreOptions = {}): Promise<boolean> {
    copyOptions("remove", { name });
    return Makemore.#once("remove", options, (api, id) => api.remove(id, name));
  }

  /** Makes a call in a worker of its own. */
  static async #once<T>(
    name: string,
    options: MakemoreOptions,
    call: (api: API, id: number) => Promise<Outcome<T>>,
  ): Promise<T> {
    const mm = new Makemore(options);
    try {
      return await mm.#stoppable(name, {}, call);
    } finally {
      mm.dispose();
    }
  }

  /**
   * Stops the worker and frees its memory. Calls in flight and all later calls reject with `DISPOSED`.
   *
   * @example
   * ```ts
   * const mm = new Makemore();
   * await mm.train(words);
   * mm.dispose();
   * ```
   */
  dispose(): void {
    Makemore.#check(this, "dispose");
    this.#disposed = true;
    this.#model = undefined;
    this.#connection?.end(disposed());
  }

  /** Same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Same as `dispose`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  /** Throws if `this` is missing or is a proxy of an instance: a proxy has no private fields. */
  static #check(self: unknown, member: string): void {
    if (typeof self === "object" && self !== null && #options in self) return;
    throw new MakemoreError(
      "UNSUPPORTED",
      self === undefined
        ? `${member}: it was called without its Makemore; call it as mm.${member}(…).`
        : `${member}: this Makemore is wrapped in a proxy (reactive state); keep the instance itself: markRaw(mm) in Vue, ref(mm) in Valtio, observable.ref in MobX.`,
    );
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

  /**
   * Makes a call that can be aborted, and sends its words meanwhile. On abort, the worker is asked to end the call. The
   * call then rejects with the signal's reason, after `STOP_MS` at the latest, even if the worker is still busy.
   */
  async #stoppable<T>(
    name: string,
    {
      signal,
      sender,
      avoid,
    }: {
      signal?: AbortSignal | undefined;
      sender?: WordSender | undefined;
      avoid?: WordSender | undefined;
    },
    call: (api: API, id: number, stop: AbortController) => Promise<Outcome<T>>,
  ): Promise<T> {
    // Check by duck typing: a signal of another realm (an iframe) is not an instance of this realm's class.
    const isSignal = reading(
      "INVALID_OPTION",
      `${name}: signal`,
      () =>
        signal === undefined ||
        (typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function"),
    );
    if (!isSignal)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: signal is ${formatValue(signal)}; it must be an AbortSignal.`,
      );
    const stop = new AbortController();
    if (signal?.aborted) stop.abort(signal.reason);
    stop.signal.throwIfAborted();
    const connection = this.#connect();
    const id = ++this.#calls;
    const given = new Promise<never>((_, reject) => {
      stop.signal.addEventListener("abort", () => {
        connection.tell("abort", id);
        sending.abort();
        setTimeout(() => reject(stop.signal.reason), STOP_MS);
      });
    });
    const follow = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", follow);
    const sending = new AbortController();
    for (const words of [sender, avoid])
      words?.send(sending.signal).catch((error) => {
        if (!sending.signal.aborted) stop.abort(error);
      });
    try {
      const answer = connection.race(async (api) => {
        // Aborted before the call was sent: the worker could not have stopped it.
        stop.signal.throwIfAborted();
        return call(api, id, stop);
      });
      return await Promise.race([answer, given]);
    } catch (error) {
      // The worker may still be running the call. Or only its answer was lost, and with it the model that it left.
      const told = connection.tell("abort", id, (model) => {
        this.#model = model;
      });
      if (error instanceof MakemoreError && error.code === "WORKER_FAILED")
        await Promise.race([told, delay(STOP_MS)]);
      throw error;
    } finally {
      signal?.removeEventListener("abort", follow);
      sending.abort();
      sender?.close();
      avoid?.close();
      // Once aborted, reject, even if the call succeeded in the meantime.
      stop.signal.throwIfAborted();
    }
  }

  async #learn(
    name: string,
    {
      onProgress,
      ...rest
    }: Pick<TrainOptions, "onProgress" | "signal"> & { sender?: WordSender | undefined },
    call: (api: API, id: number, onEvent: (event: TrainEvent) => void) => Promise<Outcome<TrainResult>>,
  ): Promise<TrainResult> {
    if (onProgress !== undefined && typeof onProgress !== "function")
      throw new MakemoreError(
        "INVALID_OPTION",
        `${name}: onProgress is ${formatValue(onProgress)}; it must be a function.`,
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
      const result = await this.#stoppable(name, rest, async (api, id, stop) => {
        const connection = this.#connection;
        tell = () => void connection?.tell("stop", id);
        if (stopped) tell();
        const onEvent = (event: TrainEvent) => {
          // A message may still arrive after the worker is gone.
          if (over || this.#connection !== connection) return;
          if ("model" in event) {
            this.#model = event.model;
            for (const [key, measured] of event.measurements) measurements.set(key, measured);
            return;
          }
          if (this.#model) this.#model = { ...this.#model, step: event.progress.step };
          // Aborted: call `onProgress` no more.
          if (stop.signal.aborted) return;
          try {
            Promise.resolve(onProgress?.(event.progress)).catch((reason) => {
              // Too late to stop anything: leave it as an unhandled rejection.
              if (over) throw reason;
              stop.abort(reason);
            });
          } catch (reason) {
            stop.abort(reason);
          }
        };
        try {
          return await call(api, id, callback(onEvent, stop));
        } finally {
          over = true;
        }
      });
      this.#model = result.model;
      return result;
    } finally {
      this.#stops.delete(softly);
    }
  }
}

/** Splits the options of a sampling call into plain ones and the word lists of `novel` and `avoid`. */
function samplingOptions(call: string, options: SampleOptions) {
  const { signal, novel, avoid: parts, pattern, ...plain } = copyOptions(call, options);
  if (pattern !== undefined && kindOf(pattern) !== "RegExp")
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: pattern is ${formatValue(pattern)}; it must be a RegExp, such as /^[aeiou]/.`,
    );
  const isList = novel !== undefined && typeof novel !== "boolean";
  const sender = isList ? new WordSender(novel, `${call}: novel`, true) : undefined;
  const avoid = parts === undefined ? undefined : new WordSender(parts, `${call}: avoid`, true);
  return {
    signal,
    sender,
    avoid,
    plain: {
      ...plain,
      novel: novel !== undefined && novel !== false,
      pattern: pattern && { source: pattern.source, flags: pattern.flags },
    },
  };
}

/** Marks the words' message port to be transferred to the worker. */
function giveAway<Sender extends WordSender | undefined>(
  sender: Sender,
): Sender extends WordSender ? EncodedWords : undefined;
function giveAway(sender: WordSender | undefined): EncodedWords | undefined {
  return sender && transfer(sender.encoded, [sender.encoded.port]);
}

/** Copies the file, because its bytes are transferred to the worker and the caller keeps theirs. */
async function copyBytes(
  onnx: Uint8Array | ArrayBuffer | Blob | Response,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  // Check by duck typing: objects of another realm (an iframe) are not instances of this realm's classes.
  try {
    if (ArrayBuffer.isView(onnx))
      return await inSlices(copied(new Uint8Array(onnx.buffer, onnx.byteOffset, onnx.byteLength)), signal);
    if (isArrayBuffer(onnx)) return await inSlices(copied(new Uint8Array(onnx)), signal);
    if (typeof onnx?.arrayBuffer === "function") return new Uint8Array(await onnx.arrayBuffer());
  } catch (cause) {
    throw new MakemoreError("INVALID_ONNX", `load: the file cannot be read: ${cause}`, { cause });
  }
  const kind = kindOf(onnx);
  const fix = kind === "Promise" ? ": await it" : kind === "String" ? ": fetch what it names" : "";
  throw new MakemoreError(
    "INVALID_ONNX",
    `load: the file is ${formatValue(onnx)}${fix}; it must be a Uint8Array, an ArrayBuffer, a Blob or a Response.`,
  );
}

/** Bytes copied between two yields. */
const BLOCK = 1 << 20;

function* copied(bytes: Uint8Array): Work<Uint8Array<ArrayBuffer>> {
  const copy = new Uint8Array(bytes.length);
  for (let from = 0; from < bytes.length; from += BLOCK) {
    copy.set(bytes.subarray(from, from + BLOCK), from);
    yield;
  }
  return copy;
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return /^(Shared)?ArrayBuffer$/.test(kindOf(value));
}

function disposed(): MakemoreError {
  return new MakemoreError("DISPOSED", "This Makemore was disposed; make a new one.");
}

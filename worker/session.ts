/**
 * The worker's side of one `Makemore`: the model there is, the words it learned from, and the
 * training under way, if any. Think of it as the table on which the rooms of this folder are laid
 * out in the order the data flows: words -> dataset -> network -> engine -> checkpoint -> ONNX and
 * sampling. It holds the little state there is; all the work is done in those rooms.
 */
import { type ProxyMarked, type Remote, releaseProxy, transfer } from "comlink";
import { version } from "../package.json";
import { MakemoreError } from "../src/errors";
import { formatValue } from "../src/formatValue";
import type {
  EncodedWords,
  Measurements,
  NoOptions,
  OnPart,
  Outcome,
  PlainExportOptions,
  PlainLoadOptions,
  PlainResumeOptions,
  PlainSampleOptions,
  PlainTrainOptions,
  ScoredWords,
  WorkerAPI,
  WorkerConfiguration,
} from "../src/protocol";
import { inSlices } from "../src/slices";
import type { Losses, MakemoreOptions, ModelInfo, TrainResult } from "../src/types";
import { engines, loadONNXRuntime, openPredictor, setAssetURLs } from "./assets";
import {
  type Dataset,
  datasetWork,
  encodeText,
  exampleCount,
  type TokenStream,
  WordSet,
} from "./data/dataset";
import { type Examples, examplesWork } from "./data/examples";
import { fingerprintWork, refuseOtherOrder, refuseOtherWords } from "./data/fingerprint";
import { type ReceivedWords, receiveWords } from "./data/receive";
import { wordNotices, wordsWork } from "./data/text";
import type { Engine, EngineSetup } from "./engines/engine";
import { architecture } from "./model/architectures";
import { checkTrainable } from "./model/limits";
import { buildNetwork, initialParametersWork } from "./model/network";
import { readWork } from "./onnx/read";
import { writeWork } from "./onnx/write";
import {
  checkLoadOptions,
  checkMakemoreOptions,
  checkNoOptions,
  exportSettings,
  resumeSettings,
  sampleSettings,
  trainSettings,
} from "./options";
import { Inference } from "./sampling/inference";
import { encodePrefix, type SampleSettings } from "./sampling/sample";
import type { Checkpoint } from "./training/checkpoint";
import { type Choice, chooseEngine, replaceEngine } from "./training/chooseEngine";
import { Forecast } from "./training/forecast";
import { modelInfo } from "./training/modelInfo";
import { explosion, overfitting } from "./training/notices";
import { smooth } from "./training/smooth";
import { Training } from "./training/training";
import type { Validated, Watch } from "./training/watch";

/** Words shown where `sampleEvery` falls due. */
const PROGRESS_SAMPLES = 5;
/** Sampled words of one message: a few milliseconds of the page's time. */
const PART = 5000;

type OnEvent = Parameters<WorkerAPI["train"]>[3];

/** Where a training stands: `resume` goes on from here. */
interface Standing {
  /** The last weights, which need not be the ones that were kept. */
  readonly last: Checkpoint;
  /** What the training knew of its validation loss. */
  readonly watch?: Watch | undefined;
}

/** How a training is to be watched, and what it starts from. */
interface Start {
  readonly checkpoint: Checkpoint;
  /** The watch of the training that it goes on from. */
  readonly watch?: Watch | undefined;
  readonly dataset: Dataset;
  readonly evalEvery: number;
  readonly sampleEvery: number;
  /** What the words gave reason to say. */
  readonly notices?: readonly string[];
}

/** A call that changes the model, from when it is asked for until it has ended. */
interface Change {
  readonly isTraining: boolean;
  readonly signal: AbortSignal;
  readonly ended: Promise<void>;
}

interface Turn {
  readonly signal: AbortSignal;
  /** Settles when the change before has ended. */
  turn(): Promise<void>;
  end(): Promise<void>;
}

export class Session implements WorkerAPI {
  #backend: NonNullable<MakemoreOptions["backend"]> = "auto";
  #measurements: Measurements = new Map();
  /** The model: what is sampled, scored and exported. */
  #checkpoint: Checkpoint | undefined;
  #standing: Standing | undefined;
  #dataset: Dataset | undefined;
  #training: Training | undefined;
  /** The last one, if it has not ended. */
  #change: Change | undefined;
  /** Settles when the last choice of an engine is made, also one that nobody waits for any more. */
  #choosing: Promise<unknown> = Promise.resolve();
  /** Settles when the model that was last asked for is there, or could not be had. */
  #opening: Promise<unknown> = Promise.resolve();
  /** What runs the newest checkpoint that was asked for. */
  #inference: { of: Checkpoint; inference: Promise<Inference> } | undefined;
  #novelty: { of: Dataset; words: Promise<WordSet[]> } | undefined;
  /** Calls under way beside a training. */
  readonly #others = new Set<Promise<unknown>>();
  /** By call. */
  readonly #stops = new Map<number, AbortController>();
  /** As `#stops`, for trainings that end softly; one may be asked to end before it begins. */
  readonly #softStops = new Map<number, AbortController>();

  configure(configuration: WorkerConfiguration): Promise<Outcome<void>> {
    return outcome(async () => {
      const { options, files, lockName, measurements } = configuration;
      if (configuration.version !== version)
        throw new MakemoreError(
          "LOAD_FAILED",
          `The worker ${files.worker} is of makemore-web ${version}, and the page's part of ${configuration.version}; serve the files of one version together.`,
        );
      checkMakemoreOptions(options);
      this.#backend = options.backend ?? "auto";
      setAssetURLs(files);
      this.#measurements = measurements;
      // Held until this worker ends, however it ends. Only secure contexts have locks, and not all: a
      // browser refuses them where it refuses storage.
      if (navigator.locks)
        await new Promise<void>((resolve) => {
          navigator.locks
            .request(lockName, () => {
              resolve();
              return new Promise(() => {});
            })
            .catch(() => resolve());
        });
    });
  }

  train(
    id: number,
    options: PlainTrainOptions,
    words: EncodedWords,
    onEvent: OnEvent,
  ): Promise<Outcome<TrainResult>> {
    return outcome(() =>
      this.#learn("train", id, onEvent, async (signal) => {
        // The rest of them follows from the length of the list.
        const checked = trainSettings(options);
        const reading = { call: "train", isTraining: true, column: options.column };
        const received = await receiveWords(words, signal);
        const { text, notices } = await inSlices(wordsWork(received, reading), signal);
        const dataset = await inSlices(datasetWork(text, checked), signal);
        const settings = trainSettings(options, exampleCount(dataset.train));
        const network = buildNetwork(architecture(settings.model), dataset.vocabulary.size);
        checkTrainable(network, settings.batchSize, "train");
        const { model: _, evalEvery, sampleEvery, ...recipe } = settings;
        const parameters = await inSlices(initialParametersWork(network, recipe.seed), signal);
        const checkpoint = {
          vocabulary: dataset.vocabulary,
          network,
          parameters,
          step: 0,
          recipe,
          words: await inSlices(fingerprintWork(dataset), signal),
        };
        return {
          checkpoint,
          dataset,
          evalEvery,
          sampleEvery,
          notices: [...notices, ...wordNotices(dataset, settings.split)],
        };
      }),
    );
  }

  resume(
    id: number,
    options: PlainResumeOptions,
    words: EncodedWords | undefined,
    onEvent: OnEvent,
  ): Promise<Outcome<TrainResult>> {
    return outcome(() =>
      this.#learn("resume", id, onEvent, async (signal) => {
        const { evalEvery, sampleEvery, ...changes } = resumeSettings(options);
        const kept: Checkpoint = this.#model("resume");
        const { last: from, watch } = this.#standing ?? { last: kept };
        const recipe = { ...from.recipe, ...changes };
        checkTrainable(from.network, recipe.batchSize, "resume");
        if (from.step >= recipe.steps)
          throw new MakemoreError(
            "INVALID_OPTION",
            `resume: steps is ${recipe.steps}, and the training has done ${from.step}; to go on, give a larger total, such as resume({ ${this.#dataset ? "" : "words, "}steps: ${2 * from.step} }).`,
          );
        const dataset = await this.#words("resume", from, words, signal, options.column);
        return {
          checkpoint: { ...from, recipe, words: await inSlices(fingerprintWork(dataset), signal) },
          watch,
          dataset,
          evalEvery,
          sampleEvery,
        };
      }),
    );
  }

  sample(
    id: number,
    options: PlainSampleOptions,
    count: number,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
  ): Promise<Outcome<void>> {
    return this.#beside(id, onPart, async (signal) => {
      const settings = sampleSettings(count, options);
      const checkpoint = await this.#snapshot("sample", signal);
      const known = !settings.novel
        ? []
        : novel
          ? [await listedWords(await receiveWords(novel, signal), checkpoint, signal)]
          : await orAborted(this.#knownWords(), signal);
      const hand = async (words: readonly string[]) => {
        for (let from = 0; from < words.length; from += PART) {
          signal.throwIfAborted();
          await onPart(words.slice(from, from + PART));
        }
      };
      try {
        await hand(await this.#sample(checkpoint, count, settings, known, signal));
      } catch (error) {
        if (error instanceof MakemoreError && error.words) await hand(error.words);
        throw error;
      }
    });
  }

  score(
    id: number,
    options: NoOptions,
    words: EncodedWords,
    onPart: OnPart<ScoredWords>,
  ): Promise<Outcome<void>> {
    return this.#beside(id, onPart, async (signal) => {
      checkNoOptions(options, "score");
      const checkpoint = await this.#snapshot("score", signal);
      const received = await receiveWords(words, signal);
      const { text } = await inSlices(wordsWork(received, { call: "score" }), signal);
      // Refused before ONNX Runtime is fetched for it.
      const stream = await inSlices(encodeText(text, checkpoint.vocabulary), signal);
      if (stream.length === 0)
        throw new MakemoreError("INVALID_WORDS", "score: there are no words; give at least one.");
      const inference = await this.#infer(checkpoint);
      const hand = (part: ScoredWords) => onPart(transfer(part, [part.surprises.buffer]));
      await inference.score(stream, hand, () => signal.aborted);
    });
  }

  evaluate(id: number, options: NoOptions, words: EncodedWords | undefined): Promise<Outcome<Losses>> {
    return this.#beside(id, undefined, async (signal) => {
      checkNoOptions(options, "evaluate");
      const checkpoint = await this.#snapshot("evaluate", signal);
      const dataset = await this.#words("evaluate", checkpoint, words, signal);
      const inference = await this.#infer(checkpoint);
      const evaluate = (stream: TokenStream) => inference.evaluate(stream, () => signal.aborted);
      return {
        train: await evaluate(dataset.train),
        validation: await evaluate(dataset.validation),
        test: await evaluate(dataset.test),
      };
    });
  }

  async exportONNX(id: number, options: PlainExportOptions): Promise<Outcome<Uint8Array>> {
    const result = await this.#beside(id, undefined, async (signal) => {
      const settings = exportSettings(options);
      return inSlices(writeWork(await this.#snapshot("exportONNX", signal), settings), signal);
    });
    return "value" in result ? transfer(result, [result.value.buffer]) : result;
  }

  load(
    id: number,
    onnx: Uint8Array,
    options: PlainLoadOptions,
    words: EncodedWords | undefined,
  ): Promise<Outcome<ModelInfo>> {
    return outcome(async () => {
      const change = this.#begin("load", id);
      try {
        checkLoadOptions(options);
        const read = async () => {
          await change.turn();
          const checkpoint = await inSlices(readWork(onnx), change.signal);
          const dataset =
            words || options.column !== undefined
              ? await this.#words("load", checkpoint, words, change.signal, options.column)
              : undefined;
          const fingerprint = dataset && (await inSlices(fingerprintWork(dataset), change.signal));
          // The words may have been the last to come.
          change.signal.throwIfAborted();
          this.#checkpoint = fingerprint ? { ...checkpoint, words: fingerprint } : checkpoint;
          this.#dataset = dataset;
          this.#standing = this.#novelty = undefined;
          return modelInfo(checkpoint);
        };
        const reading = read();
        this.#opening = reading.catch(() => {});
        return await reading;
      } finally {
        void change.end();
      }
    });
  }

  abort(id: number): void {
    // The page rejects with its signal's reason; this one is for the worker's own traces.
    this.#stops.get(id)?.abort(new Error("The call was aborted."));
  }

  stop(id: number): void {
    this.#softStop(id).abort();
  }

  #stop(id: number): AbortSignal {
    const stop = new AbortController();
    this.#stops.set(id, stop);
    return stop.signal;
  }

  #softStop(id: number): AbortController {
    const stop = this.#softStops.get(id) ?? new AbortController();
    this.#softStops.set(id, stop);
    return stop;
  }

  /** A call that a training gives way to; it ends with the proxy that it hands its parts to. */
  async #beside<T>(
    id: number,
    onPart: object | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<Outcome<T>> {
    const signal = this.#stop(id);
    const answer = outcome(() => call(signal));
    this.#others.add(answer);
    try {
      return await answer;
    } finally {
      this.#others.delete(answer);
      this.#stops.delete(id);
      release(onPart);
    }
  }

  /**
   * Begins a call that changes the model. It has its turn when the one before has ended.
   *
   * @throws MakemoreError `BUSY` if that is a training that nobody stops
   */
  #begin(call: string, id: number, isTraining = false): Turn {
    const before = this.#change;
    if (before?.isTraining && !before.signal.aborted)
      throw new MakemoreError(
        "BUSY",
        `${call}: a training is under way; wait for it, or stop it with its signal first.`,
      );
    const signal = this.#stop(id);
    let resolve = () => {};
    const ended = new Promise<void>((r) => {
      resolve = r;
    });
    const change: Change = { isTraining, signal, ended };
    this.#change = change;
    return {
      signal,
      turn: async () => {
        if (before) await orAborted(before.ended, signal);
      },
      end: async () => {
        this.#stops.delete(id);
        // One that was stopped before its turn.
        if (before) await before.ended;
        if (this.#change === change) this.#change = undefined;
        resolve();
      },
    };
  }

  /** One training from start to end; `prepare` checks everything and changes nothing. */
  async #learn(
    call: string,
    id: number,
    onEvent: OnEvent,
    prepare: (signal: AbortSignal) => Promise<Start>,
  ): Promise<TrainResult> {
    const events = onEvent as Remote<OnEvent & ProxyMarked>;
    const started = performance.now();
    const { signal: softStop } = this.#softStop(id);
    let forecast: Forecast | undefined;
    let change: Turn | undefined;
    try {
      change = this.#begin(call, id, true);
      const { signal, turn } = change;
      const open = async () => {
        await turn();
        const prepared = await prepare(signal);
        const { dataset, checkpoint } = prepared;
        const work = examplesWork(dataset.train, checkpoint.network, checkpoint.recipe);
        const start = { ...prepared, examples: await inSlices(work, signal) };
        // A cancelled benchmark may still be running and would skew this one.
        const choosing = this.#choosing.then(() =>
          chooseEngine(this.#backend, setupOf(start, start.checkpoint), engines, this.#measurements),
        );
        this.#choosing = choosing.catch(() => {});
        return { start, choice: await orStopped(choosing, signal) };
      };
      const opened = open();
      // Set before awaiting, so that whoever waits for it comes after the training is set up.
      this.#opening = opened.catch(() => {});
      const { start, choice } = await opened;
      const { checkpoint, watch: before, dataset, evalEvery, sampleEvery, notices = [] } = start;
      this.#checkpoint = checkpoint;
      this.#standing = { last: checkpoint };
      this.#dataset = dataset;
      forecast = new Forecast(openPredictor, checkpoint.network, dataset, checkpoint.recipe.batchSize);
      const watch = forecast.watch(checkpoint, before);
      const training = new Training(checkpoint, dataset, {
        evalEvery,
        sampleEvery,
        watch,
        notices: [...notices, ...choice.notices],
        openEngine: (from, lost, again) => replaceEngine(lost, again, setupOf(start, from), engines),
        evaluate: (at) => this.#progressEvaluation(at, dataset, signal),
        sample: (at) =>
          this.#sample(at, PROGRESS_SAMPLES, sampleSettings(PROGRESS_SAMPLES, { seed: at.step }), [], signal),
        onProgress: (progress) => void events({ progress }),
        others: () => (this.#others.size > 0 ? Promise.allSettled(this.#others) : undefined),
      });
      this.#training = training;
      for (const ending of [signal, softStop]) ending.addEventListener("abort", () => training.stop());
      if (softStop.aborted) training.stop();
      const tell = (of: Checkpoint) => events({ model: modelInfo(of), measurements: this.#measurements });
      void tell(checkpoint);
      let last: Engine;
      let best: Validated | undefined;
      try {
        last = await training.run(choice.engine);
      } finally {
        this.#training = undefined;
        this.#checkpoint = training.checkpoint;
        this.#standing = { last: training.checkpoint, watch };
        best = await watch?.best(training.checkpoint);
        if (best) this.#checkpoint = best.checkpoint;
        // A call that was aborted ends without its result, and the page's `model` moves on all the same.
        await tell(this.#checkpoint);
      }
      // Nobody hears of the result.
      signal.throwIfAborted();
      const losses = training.losses.slice(0, training.step - checkpoint.step);
      const kept = this.#checkpoint;
      const exploded = explosion(losses, checkpoint.vocabulary.size, best);
      const copies = await forecast.copies(kept);
      return {
        step: training.step,
        steps: training.steps,
        stopped: softStop.aborted && training.step < training.steps,
        ...(best ? { kept: { step: kept.step, validation: await forecast.validation(kept) } } : {}),
        copies,
        backend: last.backend,
        device: last.device,
        seconds: (performance.now() - started) / 1000,
        losses,
        smoothed: smooth(losses),
        words: dataset.stats,
        model: modelInfo(kept),
        ...(choice.measured ? { measured: choice.measured } : {}),
        notices: [...training.notices, ...exploded, ...overfitting(copies, best !== undefined)],
      };
    } finally {
      forecast?.dispose();
      void change?.end();
      this.#softStops.delete(id);
      release(events);
    }
  }

  #model(call: string): Checkpoint {
    if (this.#checkpoint) return this.#checkpoint;
    throw new MakemoreError("NO_MODEL", `${call}: there is no model yet; call train or load first.`);
  }

  /** The model as it is now, also in the middle of a training; of one being set up, its beginning. */
  async #snapshot(call: string, signal: AbortSignal): Promise<Checkpoint> {
    await orAborted(this.#opening, signal);
    return this.#training ? orAborted(this.#training.snapshot(), signal) : this.#model(call);
  }

  /** The words a call is about: those given, split as the training splits them, or the training's own. */
  async #words(
    call: string,
    { vocabulary, recipe, words: expected }: Checkpoint,
    words: EncodedWords | undefined,
    signal: AbortSignal,
    column?: string | number,
  ): Promise<Dataset> {
    if (words) {
      const received = await receiveWords(words, signal);
      const reading = { call, isTraining: call !== "evaluate", column };
      const { text } = await inSlices(wordsWork(received, reading), signal);
      const dataset = await inSlices(datasetWork(text, { ...recipe, vocabulary }), signal);
      const refuse = call === "evaluate" ? refuseOtherOrder : refuseOtherWords;
      if (expected) refuse(call, expected, await inSlices(fingerprintWork(dataset), signal));
      return dataset;
    }
    if (column !== undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: column is ${formatValue(column)}, and there are no words; give { words, column }.`,
      );
    if (this.#dataset) return this.#dataset;
    throw new MakemoreError(
      "NO_WORDS",
      `${call}: a loaded model comes without its words; give them, as ${call === "resume" ? "resume({ words })" : `${call}(words)`} or load(file, { words }).`,
    );
  }

  /** Sampling and scoring for a checkpoint; the one before is released. */
  async #infer(checkpoint: Checkpoint): Promise<Inference> {
    if (this.#inference?.of === checkpoint) return this.#inference.inference;
    const previous = this.#inference;
    const inference = loadONNXRuntime().then((ort) => new Inference(ort, checkpoint));
    this.#inference = { of: checkpoint, inference };
    inference.catch(() => {
      if (this.#inference?.inference === inference) this.#inference = undefined;
    });
    // One that never came has told those who asked for it.
    await previous?.inference.then((old) => old.dispose()).catch(() => {});
    return inference;
  }

  async #sample(
    checkpoint: Checkpoint,
    count: number,
    settings: SampleSettings,
    known: readonly WordSet[],
    signal: AbortSignal,
  ): Promise<string[]> {
    // Refused before ONNX Runtime is fetched for it.
    encodePrefix(checkpoint.vocabulary, settings);
    return (await this.#infer(checkpoint)).sample(count, settings, known, () => signal.aborted);
  }

  /** Every word of the list, as sets: what `novel` leaves out. */
  async #knownWords(): Promise<WordSet[]> {
    const dataset = this.#dataset;
    if (!dataset)
      throw new MakemoreError(
        "NO_WORDS",
        "sample: novel needs the training words, and a loaded model comes without them; give them as sample(count, { novel: words }) or load(file, { words }).",
      );
    if (this.#novelty?.of !== dataset) {
      const { train, validation, test } = dataset;
      const words = Promise.all([train, validation, test].map((stream) => inSlices(WordSet.work(stream))));
      this.#novelty = { of: dataset, words };
    }
    return this.#novelty.words;
  }

  /** The validation split, and as much of the training split, so that it stays short. */
  async #progressEvaluation(
    checkpoint: Checkpoint,
    { train, validation }: Dataset,
    signal: AbortSignal,
  ): Promise<Pick<Losses, "train" | "validation">> {
    const inference = await this.#infer(checkpoint);
    const stopped = () => signal.aborted;
    return {
      train: await inference.evaluate(head(train, validation.length), stopped),
      validation: await inference.evaluate(validation, stopped),
    };
  }
}

/** What an engine needs to go on from a checkpoint of a training. */
function setupOf(
  { dataset, examples }: Start & { readonly examples: Examples | undefined },
  { network, parameters, recipe, optimizerState }: Checkpoint,
): EngineSetup {
  return {
    network,
    parameters,
    optimizer: recipe.optimizer,
    ...(optimizerState ? { optimizerState } : {}),
    stream: dataset.train,
    ...(examples ? { examples } : {}),
    seed: recipe.seed,
    batchSize: recipe.batchSize,
  };
}

/** The choice, unless the call is stopped before it is made: then nothing changes, and the engine goes. */
async function orStopped(choosing: Promise<Choice>, signal: AbortSignal): Promise<Choice> {
  try {
    return await orAborted(choosing, signal);
  } catch (error) {
    if (signal.aborted) choosing.then(({ engine }) => engine.dispose()).catch(() => {});
    throw error;
  }
}

/** The first whole words of a stream, at least one, up to about `length` tokens. */
function head(stream: TokenStream, length: number): TokenStream {
  const end = stream.indexOf(0, Math.max(1, length - 1));
  return end < 0 ? stream : stream.slice(0, end + 1);
}

/** The words of a list that the model can spell, for `novel`. */
function listedWords(
  words: ReceivedWords,
  { vocabulary }: Checkpoint,
  signal: AbortSignal,
): Promise<WordSet> {
  return inSlices(
    (function* () {
      const { text } = yield* wordsWork(words, { call: "sample: novel" });
      return yield* WordSet.work(yield* encodeText(text, vocabulary, true));
    })(),
    signal,
  );
}

/** What is promised, unless the signal comes first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Gives back the page's end of a comlink proxy. */
function release(proxy: object | undefined): void {
  (proxy as Remote<ProxyMarked> | undefined)?.[releaseProxy]();
}

/** Runs a call and packs what it came to. */
async function outcome<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    // By name: a chunk has its own copy of the class.
    if (error instanceof Error && error.name === "MakemoreError" && "code" in error)
      return { error: { code: error.code as MakemoreError["code"], message: error.message } };
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { error: { code: "WORKER_FAILED", message: `The worker failed: ${reason}` } };
  }
}

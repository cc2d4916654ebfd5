/**
 * The worker's side of one `Makemore`: the model there is, the words it learned from, and the
 * training under way, if any. Think of it as the table on which the rooms of this folder are laid
 * out in the order the data flows: words -> dataset -> network -> engine -> checkpoint -> ONNX and
 * sampling. It holds the little state there is; all the work is done in those rooms.
 */
import { type ProxyMarked, type Remote, releaseProxy, transfer } from "comlink";
import { version } from "../package.json";
import { MakemoreError } from "../src/errors";
import type {
  EncodedWords,
  Measurements,
  Outcome,
  PlainLoadOptions,
  PlainResumeOptions,
  PlainSampleOptions,
  PlainTrainOptions,
  WorkerAPI,
  WorkerConfiguration,
} from "../src/protocol";
import { show } from "../src/show";
import type {
  ExportOptions,
  Losses,
  MakemoreOptions,
  ModelInfo,
  Progress,
  TrainResult,
  WordScore,
} from "../src/types";
import { engines, loadONNXRuntime, openPredictor, setFiles } from "./assets";
import { buildDataset, type Dataset, exampleCount, type TokenStream, WordSet } from "./data/dataset";
import { fingerprintOf, refuseOtherOrder, refuseOtherWords } from "./data/fingerprint";
import { readWords, wordNotices } from "./data/text";
import { eachWord } from "./data/words";
import type { Engine, EngineSetup } from "./engines/engine";
import { architecture } from "./model/architectures";
import type { Checkpoint } from "./model/checkpoint";
import { modelInfo } from "./model/info";
import { checkTrainable } from "./model/limits";
import { buildNetwork, initialParameters } from "./model/network";
import { readONNX } from "./onnx/read";
import { writeONNX } from "./onnx/write";
import {
  checkLoadOptions,
  checkMakemoreOptions,
  exportSettings,
  resumeSettings,
  type SampleSettings,
  sampleSettings,
  trainSettings,
} from "./options";
import { Inference } from "./sampling/inference";
import { encodePrefix } from "./sampling/sample";
import { type Choice, chooseEngine, replaceEngine } from "./training/chooseEngine";
import { Forecast } from "./training/forecast";
import { explosion, overfitting } from "./training/notices";
import { smooth } from "./training/smooth";
import { Training } from "./training/training";
import type { Validated, Watch } from "./training/watch";

/** Words shown where `sampleEvery` falls due. */
const PROGRESS_SAMPLES = 5;

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

export class Session implements WorkerAPI {
  #backend: NonNullable<MakemoreOptions["backend"]> = "auto";
  #measurements: Measurements = new Map();
  /** The model: what is sampled, scored and exported. */
  #checkpoint: Checkpoint | undefined;
  #standing: Standing | undefined;
  #dataset: Dataset | undefined;
  #training: Training | undefined;
  /** A training is being set up or runs. */
  #busy = false;
  /** Settles when the last choice of an engine is made, also one that nobody waits for any more. */
  #choosing: Promise<unknown> = Promise.resolve();
  /** Settles when the training that was last asked for stands, or could not be set up. */
  #opening: Promise<unknown> = Promise.resolve();
  /** What runs the newest checkpoint that was asked for. */
  #inference: { of: Checkpoint; inference: Promise<Inference> } | undefined;
  #novelty: { of: Dataset; words: WordSet[] } | undefined;
  /** Calls under way beside a training. */
  readonly #others = new Set<Promise<unknown>>();
  /** By call; a call may be asked to end before it begins. */
  readonly #stops = new Map<number, AbortController>();
  /** As `#stops`, for trainings that end softly. */
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
      setFiles(files);
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
      this.#learn("train", id, onEvent, () => {
        // The rest of them follows from the length of the list.
        const checked = trainSettings(options);
        const { text, notices } = readWords(words, {
          call: "train",
          isTraining: true,
          column: options.column,
        });
        const dataset = buildDataset(text, checked);
        const settings = trainSettings(options, exampleCount(dataset.train));
        const network = buildNetwork(architecture(settings.model), dataset.vocabulary.size);
        checkTrainable(network, settings.batchSize, "train");
        const { model: _, evalEvery, sampleEvery, ...recipe } = settings;
        const parameters = initialParameters(network, recipe.seed);
        const checkpoint = {
          vocabulary: dataset.vocabulary,
          network,
          parameters,
          step: 0,
          recipe,
          words: fingerprintOf(dataset),
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
      this.#learn("resume", id, onEvent, () => {
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
        const dataset = this.#words("resume", from, words, options.column);
        return {
          checkpoint: { ...from, recipe, words: fingerprintOf(dataset) },
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
  ): Promise<Outcome<string[]>> {
    return this.#beside(async () => {
      const settings = sampleSettings(count, options);
      const { signal } = this.#stop(id);
      try {
        const checkpoint = await this.#snapshot("sample");
        const known = !settings.novel
          ? []
          : novel
            ? [WordSet.ofText(readWords(novel, { call: "sample: novel" }).text, checkpoint.vocabulary)]
            : this.#knownWords();
        return await this.#sample(checkpoint, count, settings, known, () => signal.aborted);
      } finally {
        this.#stops.delete(id);
      }
    });
  }

  score(words: EncodedWords): Promise<Outcome<WordScore[]>> {
    return this.#beside(async () => {
      const checkpoint = await this.#snapshot("score");
      const list = [...eachWord(readWords(words, { call: "score" }).text)].filter((word) => word !== "");
      if (list.length === 0)
        throw new MakemoreError("INVALID_WORDS", "score: there are no words; give at least one.");
      // Refused before ONNX Runtime is fetched for it.
      for (const word of list) checkpoint.vocabulary.encode(word);
      return (await this.#infer(checkpoint)).score(list);
    });
  }

  evaluate(words: EncodedWords | undefined): Promise<Outcome<Losses>> {
    return this.#beside(async () => {
      const checkpoint = await this.#snapshot("evaluate");
      const dataset = this.#words("evaluate", checkpoint, words);
      const inference = await this.#infer(checkpoint);
      return {
        train: await inference.evaluate(dataset.train),
        validation: await inference.evaluate(dataset.validation),
        test: await inference.evaluate(dataset.test),
      };
    });
  }

  exportONNX(options: ExportOptions): Promise<Outcome<Uint8Array>> {
    return this.#beside(async () => {
      const settings = exportSettings(options);
      return writeONNX(await this.#snapshot("exportONNX"), settings);
    }).then((result) => ("value" in result ? transfer(result, [result.value.buffer]) : result));
  }

  load(
    onnx: Uint8Array,
    options: PlainLoadOptions,
    words: EncodedWords | undefined,
  ): Promise<Outcome<ModelInfo>> {
    return outcome(async () => {
      this.#refuseWhileBusy("load");
      checkLoadOptions(options);
      const checkpoint = readONNX(onnx);
      const dataset =
        words || options.column !== undefined
          ? this.#words("load", checkpoint, words, options.column)
          : undefined;
      this.#checkpoint = dataset ? { ...checkpoint, words: fingerprintOf(dataset) } : checkpoint;
      this.#dataset = dataset;
      this.#standing = this.#novelty = undefined;
      return modelInfo(checkpoint);
    });
  }

  abort(id: number): void {
    this.#stop(id).abort();
  }

  stop(id: number): void {
    this.#softStop(id).abort();
  }

  #stop(id: number): AbortController {
    const stop = this.#stops.get(id) ?? new AbortController();
    this.#stops.set(id, stop);
    return stop;
  }

  #softStop(id: number): AbortController {
    const stop = this.#softStops.get(id) ?? new AbortController();
    this.#softStops.set(id, stop);
    return stop;
  }

  /** A call that a training gives way to. */
  async #beside<T>(call: () => Promise<T>): Promise<Outcome<T>> {
    const answer = outcome(call);
    this.#others.add(answer);
    try {
      return await answer;
    } finally {
      this.#others.delete(answer);
    }
  }

  /** One training from start to end; `prepare` checks everything and changes nothing. */
  async #learn(call: string, id: number, onEvent: OnEvent, prepare: () => Start): Promise<TrainResult> {
    const events = onEvent as Remote<OnEvent & ProxyMarked>;
    const started = performance.now();
    if (this.#busy) events[releaseProxy]();
    this.#refuseWhileBusy(call);
    this.#busy = true;
    const { signal } = this.#stop(id);
    const { signal: softStop } = this.#softStop(id);
    let forecast: Forecast | undefined;
    try {
      const { checkpoint, watch: before, dataset, evalEvery, sampleEvery, notices = [] } = prepare();
      const setup = (from: Checkpoint): EngineSetup => ({
        network: from.network,
        parameters: from.parameters,
        optimizer: from.recipe.optimizer,
        ...(from.optimizerState ? { optimizerState: from.optimizerState } : {}),
        stream: dataset.train,
        seed: from.recipe.seed,
        batchSize: from.recipe.batchSize,
      });
      // One that was stopped in its choice may still be measuring, and would be measured along.
      const choosing = this.#choosing.then(() =>
        chooseEngine(this.#backend, setup(checkpoint), engines, this.#measurements),
      );
      this.#choosing = choosing.catch(() => {});
      const chosen = orStopped(choosing, signal);
      // Before it is awaited here: whoever waits for it comes after the training stands.
      this.#opening = chosen.catch(() => {});
      const choice = await chosen;
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
        openEngine: (from, lost, again) => replaceEngine(lost, again, setup(from), engines),
        evaluate: (at) => this.#progressEvaluation(at, dataset, () => signal.aborted),
        sample: (at) =>
          this.#sample(
            at,
            PROGRESS_SAMPLES,
            sampleSettings(PROGRESS_SAMPLES, { seed: at.step }),
            [],
            () => signal.aborted,
          ),
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
      this.#busy = false;
      this.#stops.delete(id);
      this.#softStops.delete(id);
      events[releaseProxy]();
    }
  }

  #refuseWhileBusy(call: string): void {
    if (this.#busy)
      throw new MakemoreError(
        "BUSY",
        `${call}: a training is under way; wait for it, or stop it with its signal first.`,
      );
  }

  #model(call: string): Checkpoint {
    if (this.#checkpoint) return this.#checkpoint;
    throw new MakemoreError("NO_MODEL", `${call}: there is no model yet; call train or load first.`);
  }

  /** The model as it is now, also in the middle of a training; of one being set up, its beginning. */
  async #snapshot(call: string): Promise<Checkpoint> {
    await this.#opening;
    return this.#training ? this.#training.snapshot() : this.#model(call);
  }

  /** The words a call is about: those given, split as the training splits them, or the training's own. */
  #words(
    call: string,
    { vocabulary, recipe, words: expected }: Checkpoint,
    words: EncodedWords | undefined,
    column?: string | number,
  ): Dataset {
    if (words) {
      const { text } = readWords(words, { call, isTraining: call !== "evaluate", column });
      const dataset = buildDataset(text, { ...recipe, vocabulary });
      const refuse = call === "evaluate" ? refuseOtherOrder : refuseOtherWords;
      if (expected) refuse(call, expected, fingerprintOf(dataset));
      return dataset;
    }
    if (column !== undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: column is ${show(column)}, and there are no words; give { words, column }.`,
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
    stopped: () => boolean,
  ): Promise<string[]> {
    // Refused before ONNX Runtime is fetched for it.
    encodePrefix(checkpoint.vocabulary, settings);
    return (await this.#infer(checkpoint)).sample(count, settings, known, stopped);
  }

  /** Every word of the list, as sets: what `novel` leaves out. */
  #knownWords(): WordSet[] {
    const dataset = this.#dataset;
    if (!dataset)
      throw new MakemoreError(
        "NO_WORDS",
        "sample: novel needs the training words, and a loaded model comes without them; give them as sample(count, { novel: words }) or load(file, { words }).",
      );
    if (this.#novelty?.of !== dataset)
      this.#novelty = {
        of: dataset,
        words: [dataset.train, dataset.validation, dataset.test].map((stream) => WordSet.of(stream)),
      };
    return this.#novelty.words;
  }

  /** The validation split, and as much of the training split, so that it stays short. */
  async #progressEvaluation(
    checkpoint: Checkpoint,
    { train, validation }: Dataset,
    stopped: () => boolean,
  ): Promise<Progress["evaluation"]> {
    const inference = await this.#infer(checkpoint);
    return {
      train: await inference.evaluate(head(train, validation.length), stopped),
      validation: await inference.evaluate(validation, stopped),
    };
  }
}

/** The choice, unless the call is stopped before it is made: then nothing changes, and the engine goes. */
function orStopped(choosing: Promise<Choice>, signal: AbortSignal): Promise<Choice> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(new Error("stopped before its first step"));
      choosing.then(({ engine }) => engine.dispose()).catch(() => {});
    };
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop);
    choosing.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** The first whole words of a stream, at least one, up to about `length` tokens. */
function head(stream: TokenStream, length: number): TokenStream {
  const end = stream.indexOf(0, Math.max(1, length - 1));
  return end < 0 ? stream : stream.slice(0, end + 1);
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

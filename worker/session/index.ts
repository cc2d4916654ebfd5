/**
 * The worker's side of one `Makemore`: its model, the words that the model learned from, and the running
 * training, if any. It connects the folders of `worker/` in the order of the data: words -> dataset ->
 * network -> engine -> checkpoint -> ONNX and sampling. The files next to this one hold the running calls,
 * the waiting calls, and the caches.
 */
import { transfer } from "comlink";
import { version } from "../../package.json";
import { MakemoreError } from "../../src/errors";
import type {
  EncodedWords,
  NoOptions,
  OnPart,
  Outcome,
  PlainExportOptions,
  PlainGroupOptions,
  PlainLoadOptions,
  PlainNextOptions,
  PlainResumeOptions,
  PlainSampleOptions,
  PlainTrainOptions,
  ScoredWords,
  WorkerAPI,
  WorkerConfiguration,
} from "../../src/protocol";
import { inSlices } from "../../src/slices";
import type {
  Classification,
  Losses,
  ModelInfo,
  NextCharacter,
  SavedModel,
  TrainResult,
} from "../../src/types";
import { setAssetURLs } from "../assets";
import { type Dataset, encodeText, type TokenStream, WordSet } from "../data/dataset";
import { fingerprintWork } from "../data/fingerprint";
import { nearWords, wordSets } from "../data/listed";
import { Parts } from "../data/parts";
import type { Vocabulary } from "../data/vocabulary";
import { readWork } from "../onnx/read";
import { writeWork } from "../onnx/write";
import {
  checkGroupOptions,
  checkLoadOptions,
  checkMakemoreOptions,
  checkNext,
  checkNoOptions,
  checkSavedName,
  exportSettings,
  sampleSettings,
  samplingSettings,
} from "../options";
import type { ConditionLists } from "../sampling/conditions";
import type { Inference } from "../sampling/inference";
import type { SampleSettings, SamplingCall } from "../sampling/sample";
import type { Checkpoint } from "../training/checkpoint";
import { modelInfo } from "../training/modelInfo";
import { Cache } from "./cache";
import { Calls, orAborted, outcome } from "./calls";
import { Changes } from "./changes";
import { EngineChoices } from "./engineChoices";
import { learn, type OnEvent } from "./learn";
import { prepareResume, prepareTrain, type Start, type WarmUp } from "./prepare";
import { readWords, State } from "./state";
import { type ModelAndWords, openModel, removeModel, savedModels, saveModel } from "./storage";

/** Sampled words per message: they take the page a few milliseconds. */
const PART = 5000;

/** Sends sampled words to the page, and waits until it has read them. */
type Hand = (words: readonly string[]) => Promise<void>;

/** What a sampling call needs. */
interface SamplingOf {
  readonly call: SamplingCall;
  readonly settings: SampleSettings;
  readonly novel: EncodedWords | undefined;
  readonly avoid: EncodedWords | undefined;
  readonly onPart: OnPart<string[]>;
  readonly signal: AbortSignal;
}

export class Session implements WorkerAPI {
  readonly #calls = new Calls();
  readonly #changes = new Changes();
  readonly #cache = new Cache();
  readonly #choices = new EngineChoices();
  readonly #state = new State();
  readonly #warmUp: WarmUp = (example) => this.#choices.warmUp(example);

  configure(configuration: WorkerConfiguration): Promise<Outcome<void>> {
    return outcome(async () => {
      const { options, files, lockName, measurements } = configuration;
      if (configuration.version !== version)
        throw new MakemoreError(
          "LOAD_FAILED",
          `The worker ${files.worker} is of makemore-web ${version}, but the page runs version ${configuration.version}; serve the files of one version together.`,
        );
      checkMakemoreOptions(options);
      this.#choices.configure(options.backend, measurements);
      setAssetURLs(files);
      await holdLock(lockName);
    });
  }

  train(
    id: number,
    options: PlainTrainOptions,
    words: EncodedWords,
    onEvent: OnEvent,
  ): Promise<Outcome<TrainResult>> {
    return this.#learn("train", id, onEvent, (signal) => prepareTrain(options, words, signal, this.#warmUp));
  }

  resume(
    id: number,
    options: PlainResumeOptions,
    words: EncodedWords | undefined,
    onEvent: OnEvent,
  ): Promise<Outcome<TrainResult>> {
    return this.#learn("resume", id, onEvent, (signal) =>
      prepareResume(this.#state, options, words, signal, this.#warmUp),
    );
  }

  sample(
    id: number,
    options: PlainSampleOptions,
    count: number,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
    avoid?: EncodedWords,
  ): Promise<Outcome<void>> {
    return this.#calls.runBeside(id, onPart, async (signal) => {
      const settings = sampleSettings(count, options);
      await this.#sample(
        { call: "sample", settings, novel, avoid, onPart, signal },
        async (inference, lists, hand) =>
          hand(await inference.sample(count, settings, lists, () => signal.aborted)),
      );
    });
  }

  words(
    id: number,
    options: PlainSampleOptions,
    novel: EncodedWords | undefined,
    onPart: OnPart<string[]>,
    avoid?: EncodedWords,
  ): Promise<Outcome<void>> {
    // Not `runBeside`: a training would pause for as long as the page takes to read the words.
    return this.#calls.run(id, onPart, async (signal) => {
      const settings = samplingSettings("words", options);
      await this.#sample(
        { call: "words", settings, novel, avoid, onPart, signal },
        (inference, lists, hand) => inference.stream(settings, hand, lists, () => signal.aborted),
      );
    });
  }

  next(id: number, options: PlainNextOptions, prefix: string): Promise<Outcome<NextCharacter[]>> {
    return this.#calls.runBeside(id, undefined, async (signal) => {
      checkNext(options, prefix);
      const inference = await this.#cache.inference(await this.#snapshot("next", signal));
      return inference.next(prefix, () => signal.aborted, options.group);
    });
  }

  score(
    id: number,
    options: PlainGroupOptions,
    words: EncodedWords,
    onPart: OnPart<ScoredWords>,
  ): Promise<Outcome<void>> {
    return this.#calls.runBeside(id, onPart, async (signal) => {
      checkGroupOptions(options, "score");
      const checkpoint = await this.#snapshot("score", signal);
      const stream = await scoredStream("score", checkpoint, words, signal);
      const inference = await this.#cache.inference(checkpoint);
      const hand = (part: ScoredWords) => orAborted(onPart(transfer(part, [part.surprises.buffer])), signal);
      await inference.score(stream, hand, () => signal.aborted, options.group);
    });
  }

  classify(
    id: number,
    options: NoOptions,
    words: EncodedWords,
    onPart: OnPart<Classification[]>,
  ): Promise<Outcome<void>> {
    return this.#calls.runBeside(id, onPart, async (signal) => {
      checkNoOptions(options, "classify");
      const checkpoint = await this.#snapshot("classify", signal);
      if (checkpoint.vocabulary.groups.length === 0)
        throw new MakemoreError(
          "INVALID_MODEL",
          "classify: the model has no groups; train on lists by name to have some, train({ elves: words, … }).",
        );
      const stream = await scoredStream("classify", checkpoint, words, signal);
      const inference = await this.#cache.inference(checkpoint);
      const hand = (part: Classification[]) => orAborted(onPart(part), signal);
      await inference.classify(stream, hand, () => signal.aborted);
    });
  }

  evaluate(id: number, options: NoOptions, words: EncodedWords | undefined): Promise<Outcome<Losses>> {
    return this.#calls.runBeside(id, undefined, async (signal) => {
      checkNoOptions(options, "evaluate");
      const checkpoint = await this.#snapshot("evaluate", signal);
      const dataset = await this.#state.words("evaluate", checkpoint, words, signal);
      const inference = await this.#cache.inference(checkpoint);
      const evaluate = (stream: TokenStream) => inference.evaluate(stream, () => signal.aborted);
      return {
        train: await evaluate(dataset.train),
        validation: await evaluate(dataset.validation),
        test: await evaluate(dataset.test),
      };
    });
  }

  async exportONNX(id: number, options: PlainExportOptions): Promise<Outcome<Uint8Array>> {
    const result = await this.#calls.runBeside(id, undefined, async (signal) => {
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
    return this.#calls.run(id, undefined, (signal) =>
      this.#changes.run({ call: "load", isTraining: false, signal }, async (open) => {
        checkLoadOptions(options);
        return open(async () => {
          const checkpoint = await inSlices(readWork(onnx), signal);
          const dataset =
            words || options.column !== undefined
              ? await this.#state.words("load", checkpoint, words, signal, options.column)
              : undefined;
          // Files of 0.1.0 have no fingerprint. For later ones, the words were checked against it.
          const fingerprint =
            checkpoint.words ?? (dataset && (await inSlices(fingerprintWork(dataset), signal)));
          // The call may have been aborted while the words arrived.
          signal.throwIfAborted();
          return this.#replace(id, {
            checkpoint: fingerprint ? { ...checkpoint, words: fingerprint } : checkpoint,
            dataset,
          });
        });
      }),
    );
  }

  save(id: number, options: NoOptions, name: string): Promise<Outcome<void>> {
    return this.#calls.runBeside(id, undefined, async (signal) => {
      checkNoOptions(options, "save");
      checkSavedName(name, "save");
      const checkpoint = await this.#snapshot("save", signal);
      await saveModel("save", name, { checkpoint, dataset: this.#state.dataset }, signal);
    });
  }

  open(id: number, name: string): Promise<Outcome<ModelInfo>> {
    return this.#calls.run(id, undefined, (signal) =>
      this.#changes.run({ call: "open", isTraining: false, signal }, async (open) => {
        checkSavedName(name, "open");
        return open(async () => this.#replace(id, await openModel(name, signal)));
      }),
    );
  }

  saved(id: number): Promise<Outcome<SavedModel[]>> {
    return this.#calls.run(id, undefined, savedModels);
  }

  remove(id: number, name: string): Promise<Outcome<boolean>> {
    return this.#calls.run(id, undefined, async () => {
      checkSavedName(name, "remove");
      return removeModel(name);
    });
  }

  async abort(id: number): Promise<Outcome<ModelInfo | undefined>> {
    await this.#calls.abort(id);
    const { checkpoint, changedBy } = this.#state;
    return { value: checkpoint && changedBy === id ? modelInfo(checkpoint) : undefined };
  }

  async stop(id: number): Promise<Outcome<undefined>> {
    this.#calls.stop(id);
    return { value: undefined };
  }

  #learn(
    call: "train" | "resume",
    id: number,
    onEvent: OnEvent,
    prepare: (signal: AbortSignal) => Promise<Start>,
  ): Promise<Outcome<TrainResult>> {
    const shared = {
      state: this.#state,
      choices: this.#choices,
      calls: this.#calls,
    };
    const softStop = this.#calls.softStop(id);
    return this.#calls.run(id, onEvent, (signal) =>
      this.#changes.run({ call, isTraining: true, signal }, (open) =>
        learn(shared, { id, open, prepare: () => prepare(signal), onEvent, signal, softStop }),
      ),
    );
  }

  /** Replaces the current model. */
  #replace(id: number, { checkpoint, dataset }: ModelAndWords): ModelInfo {
    this.#state.changedBy = id;
    this.#state.checkpoint = checkpoint;
    this.#state.dataset = dataset;
    this.#state.standing = undefined;
    return modelInfo(checkpoint);
  }

  /** Returns the current model; while one is being set up, waits for its initial state. */
  async #snapshot(call: string, signal: AbortSignal): Promise<Checkpoint> {
    await this.#changes.opened(signal);
    return this.#state.snapshot(call, signal);
  }

  /** Samples words and sends them to the page, including those found before a failure. */
  async #sample(
    { call, settings, novel, avoid, onPart, signal }: SamplingOf,
    find: (inference: Inference, lists: ConditionLists, hand: Hand) => Promise<void>,
  ): Promise<void> {
    const checkpoint = await this.#snapshot(call, signal);
    const { vocabulary } = checkpoint;
    // Another call may replace the model and its words while this one's words arrive.
    const { dataset } = this.#state;
    const lists: ConditionLists = {
      known: settings.novel ? await knownWords(call, vocabulary, novel, dataset, signal) : [],
      avoid:
        avoid &&
        (await inSlices(
          Parts.work(await spellableStream(`${call}: avoid`, vocabulary, avoid, signal)),
          signal,
        )),
      listed:
        settings.minDistance > 0
          ? await orAborted(nearWords(listedWords(call, "minDistance", dataset)), signal)
          : [],
    };
    const hand: Hand = async (words) => {
      for (let from = 0; from < words.length; from += PART)
        await orAborted(onPart(words.slice(from, from + PART)), signal);
    };
    try {
      await find(await this.#cache.inference(checkpoint), lists, hand);
    } catch (error) {
      if (error instanceof MakemoreError && error.words) await hand(error.words);
      throw error;
    }
  }
}

/** Returns the words that `novel` excludes: the list that was passed, or all words that the model learned from. */
async function knownWords(
  call: SamplingCall,
  vocabulary: Vocabulary,
  novel: EncodedWords | undefined,
  dataset: Dataset | undefined,
  signal: AbortSignal,
): Promise<WordSet[]> {
  if (!novel) return orAborted(wordSets(listedWords(call, "novel", dataset)), signal);
  const stream = await spellableStream(`${call}: novel`, vocabulary, novel, signal);
  return [await inSlices(WordSet.work(stream), signal)];
}

/** Returns the list that the model learned from, if it is known. */
function listedWords(
  call: SamplingCall,
  option: "novel" | "minDistance",
  dataset: Dataset | undefined,
): Dataset {
  if (dataset) return dataset;
  const given =
    option === "novel" ? `${call}(${call === "sample" ? "count, " : ""}{ novel: words }) or ` : "";
  throw new MakemoreError(
    "NO_WORDS",
    `${call}: ${option} needs the training words, and a loaded model comes without them; give them as ${given}load(file, { words }).`,
  );
}

/** Encodes words to score. Words that the model cannot read are refused before ONNX Runtime is fetched. */
async function scoredStream(
  call: string,
  { vocabulary }: Checkpoint,
  words: EncodedWords,
  signal: AbortSignal,
): Promise<TokenStream> {
  const { text } = await readWords(words, { call }, signal);
  const stream = await inSlices(encodeText(text, vocabulary), signal);
  if (stream.length === 0)
    throw new MakemoreError("INVALID_WORDS", `${call}: there are no words; give at least one.`);
  return stream;
}

/** Encodes the words of a condition, without those that the model cannot spell: it never samples them. */
async function spellableStream(
  call: string,
  vocabulary: Vocabulary,
  words: EncodedWords,
  signal: AbortSignal,
): Promise<TokenStream> {
  const { text } = await readWords(words, { call }, signal);
  return inSlices(encodeText(text, vocabulary, { lenient: true }), signal);
}

/** Holds a lock until this worker ends for any reason, so that the page notices. */
async function holdLock(name: string): Promise<void> {
  // Only secure contexts have locks, and browsers that block storage refuse them.
  if (!navigator.locks) return;
  await new Promise<void>((resolve) => {
    navigator.locks
      .request(name, () => {
        resolve();
        return new Promise(() => {});
      })
      .catch(() => resolve());
  });
}

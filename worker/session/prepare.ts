/** Everything that `train` and `resume` check and build before anything changes. */
import { MakemoreError } from "../../src/errors";
import type { EncodedWords, PlainResumeOptions, PlainTrainOptions } from "../../src/protocol";
import { inSlices } from "../../src/slices";
import { type Dataset, datasetWork, longestOf, type TokenStream, trainingExamples } from "../data/dataset";
import { fingerprintWork } from "../data/fingerprint";
import { wordNotices } from "../data/text";
import { architecture, exampleOfChoice } from "../model/architectures";
import type { Example } from "../model/layer";
import { checkTrainable } from "../model/limits";
import { buildNetwork, initialParametersWork, MAX_CONTEXT_LENGTH, type Network } from "../model/network";
import { checkTrainOptions, type DiagnosticsSetting, resumeSettings } from "../options";
import type { Checkpoint } from "../training/checkpoint";
import type { Watch } from "../training/watch";
import { readLists, type State } from "./state";

/** Maximum number of a word's characters in a message. */
const SHOWN = 40;

/** The initial state of a training, and how to watch it. */
export interface Start {
  readonly checkpoint: Checkpoint;
  /** The watch of the training that this one resumes. */
  readonly watch?: Watch | undefined;
  readonly dataset: Dataset;
  readonly evalEvery: number;
  readonly sampleEvery: number;
  readonly diagnostics: DiagnosticsSetting;
  /** Load ONNX Runtime while the training runs. */
  readonly prefetch: boolean;
  /** Name for saving it while it runs. */
  readonly saveAs: string | undefined;
  /** Notices about the words. */
  readonly notices?: readonly string[];
}

/** Warms up the engines for a training on such examples; called once the options are checked. */
export type WarmUp = (example: Example) => void;

/** Prepares a new training. */
export async function prepareTrain(
  options: PlainTrainOptions,
  words: EncodedWords,
  signal: AbortSignal,
  warmUp: WarmUp,
): Promise<Start> {
  const settingsFor = checkTrainOptions(options);
  warmUp(exampleOfChoice(settingsFor().model));
  const reading = { call: "train", isTraining: true, column: options.column };
  const { lists, notices } = await readLists(words, reading, signal);
  const dataset = await inSlices(datasetWork(lists, settingsFor()), signal);
  const settings = settingsFor(trainingExamples(dataset), dataset.vocabulary.size);
  const longest = longestOf(dataset);
  // The longest word and the boundary before it. Words that are too long for any model are refused below.
  const positions = Math.min(longest.length + 1, MAX_CONTEXT_LENGTH);
  const network = buildNetwork(
    architecture(settings.model, positions),
    dataset.vocabulary.size,
    dataset.vocabulary.groups.length,
  );
  refuseLongWords(network, dataset, longest);
  checkTrainable(network, settings.batchSize, "train", longest.length + 1);
  const { model: _, evalEvery, sampleEvery, diagnostics, prefetch, saveAs, ...chosen } = settings;
  // The n-gram mixes all groups after few characters, and a model that reads words keeps its teacher to the end.
  const mixes = network.example === "word" && dataset.vocabulary.groups.length > 0;
  const recipe = { ...chosen, teacher: options.teacher ?? (mixes ? "none" : chosen.teacher) };
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
    diagnostics,
    prefetch,
    saveAs,
    notices: [...notices, ...wordNotices(dataset, settings.split)],
  };
}

/** Refuses words that are longer than the model can read; a model that reads windows has no such limit. */
function refuseLongWords(
  { example, contextLength }: Network,
  { vocabulary }: Dataset,
  word: TokenStream,
): void {
  const needed = word.length + 1;
  if (example === "window" || needed <= contextLength) return;
  const characters = vocabulary.decode(word);
  const shown = characters.length > SHOWN ? `${characters.slice(0, SHOWN)}…` : characters;
  const fix =
    needed > MAX_CONTEXT_LENGTH
      ? `leave out words of more than ${MAX_CONTEXT_LENGTH - 1} characters, or take a model of windows, such as "wavenet"`
      : `it must be at least ${needed}, one more than the longest word`;
  throw new MakemoreError(
    "INVALID_MODEL",
    `train: the model's context length is ${contextLength}, and the word "${shown}" has ${word.length} characters; ${fix}.`,
  );
}

/** Prepares a resumed training. */
export async function prepareResume(
  state: State,
  options: PlainResumeOptions,
  words: EncodedWords | undefined,
  signal: AbortSignal,
  warmUp: WarmUp,
): Promise<Start> {
  const { evalEvery, sampleEvery, diagnostics, prefetch, saveAs, ...changes } = resumeSettings(options);
  const kept = state.model("resume");
  const { last: from, watch } = state.standing ?? { last: kept };
  const recipe = { ...from.recipe, ...changes };
  if (from.step >= recipe.steps)
    throw new MakemoreError(
      "INVALID_OPTION",
      `resume: steps is ${recipe.steps}, and the training has done ${from.step}; to go on, give a larger total, such as resume({ ${state.dataset ? "" : "words, "}steps: ${2 * from.step} }).`,
    );
  warmUp(from.network.example);
  const dataset = await state.words("resume", from, words, signal, options.column);
  checkTrainable(from.network, recipe.batchSize, "resume", longestOf(dataset).length + 1);
  return {
    checkpoint: {
      ...from,
      recipe,
      // A file of 0.1.0 has none; of the others, these are the words.
      words: from.words ?? (await inSlices(fingerprintWork(dataset), signal)),
    },
    watch,
    dataset,
    evalEvery,
    sampleEvery,
    diagnostics,
    prefetch,
    saveAs,
  };
}

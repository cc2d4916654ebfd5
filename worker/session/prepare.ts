/** What `train` and `resume` check and build before anything changes. */
import { MakemoreError } from "../../src/errors";
import type { EncodedWords, PlainResumeOptions, PlainTrainOptions } from "../../src/protocol";
import { inSlices } from "../../src/slices";
import { type Dataset, datasetWork, exampleCount } from "../data/dataset";
import { fingerprintWork } from "../data/fingerprint";
import { wordNotices } from "../data/text";
import { architecture } from "../model/architectures";
import { checkTrainable } from "../model/limits";
import { buildNetwork, initialParametersWork } from "../model/network";
import { checkTrainOptions, resumeSettings } from "../options";
import type { Checkpoint } from "../training/checkpoint";
import type { Watch } from "../training/watch";
import { readWords, type State } from "./state";

/** What a training starts from, and how it is to be watched. */
export interface Start {
  readonly checkpoint: Checkpoint;
  /** The watch of the training that it goes on from. */
  readonly watch?: Watch | undefined;
  readonly dataset: Dataset;
  readonly evalEvery: number;
  readonly sampleEvery: number;
  /** Name to save it under as it goes. */
  readonly saveAs: string | undefined;
  /** What the words gave reason to say. */
  readonly notices?: readonly string[];
}

/** The start of a new training. */
export async function prepareTrain(
  options: PlainTrainOptions,
  words: EncodedWords,
  signal: AbortSignal,
): Promise<Start> {
  const settingsFor = checkTrainOptions(options);
  const reading = { call: "train", isTraining: true, column: options.column };
  const { text, notices } = await readWords(words, reading, signal);
  const dataset = await inSlices(datasetWork(text, settingsFor()), signal);
  const settings = settingsFor(exampleCount(dataset.train));
  const network = buildNetwork(architecture(settings.model), dataset.vocabulary.size);
  checkTrainable(network, settings.batchSize, "train");
  const { model: _, evalEvery, sampleEvery, saveAs, ...recipe } = settings;
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
    saveAs,
    notices: [...notices, ...wordNotices(dataset, settings.split)],
  };
}

/** The start of a training that goes on. */
export async function prepareResume(
  state: State,
  options: PlainResumeOptions,
  words: EncodedWords | undefined,
  signal: AbortSignal,
): Promise<Start> {
  const { evalEvery, sampleEvery, saveAs, ...changes } = resumeSettings(options);
  const kept = state.model("resume");
  const { last: from, watch } = state.standing ?? { last: kept };
  const recipe = { ...from.recipe, ...changes };
  checkTrainable(from.network, recipe.batchSize, "resume");
  if (from.step >= recipe.steps)
    throw new MakemoreError(
      "INVALID_OPTION",
      `resume: steps is ${recipe.steps}, and the training has done ${from.step}; to go on, give a larger total, such as resume({ ${state.dataset ? "" : "words, "}steps: ${2 * from.step} }).`,
    );
  const dataset = await state.words("resume", from, words, signal, options.column);
  return {
    checkpoint: { ...from, recipe, words: await inSlices(fingerprintWork(dataset), signal) },
    watch,
    dataset,
    evalEvery,
    sampleEvery,
    saveAs,
  };
}

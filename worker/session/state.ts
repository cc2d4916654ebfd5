/** State of a session: its model, how far the training got, and the words that the model learned from. */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import type { EncodedWords } from "../../src/protocol";
import { inSlices } from "../../src/slices";
import { type Dataset, datasetWork, type Lists } from "../data/dataset";
import { fingerprintWork, refuseOtherOrder, refuseOtherWords } from "../data/fingerprint";
import { sameGroups } from "../data/groups";
import { isGroupName } from "../data/normalization";
import { receiveLists, receiveWords } from "../data/receive";
import { type Reading, type WordList, wordsWork } from "../data/text";
import type { Checkpoint } from "../training/checkpoint";
import type { Training } from "../training/training";
import type { Watch } from "../training/watch";
import { orAborted } from "./calls";

/** The point from which `resume` continues. */
export interface Standing {
  /** The last weights; the kept model may be an earlier one. */
  readonly last: Checkpoint;
  /** The training's watch over the validation loss. */
  readonly watch?: Watch | undefined;
}

export class State {
  /** The model that is sampled, scored and exported. */
  checkpoint: Checkpoint | undefined;
  /** Id of the call that set the model. */
  changedBy: number | undefined;
  standing: Standing | undefined;
  dataset: Dataset | undefined;
  /** The running training, once it is set up. */
  training: Training | undefined;

  /** @throws MakemoreError `NO_MODEL` */
  model(call: string): Checkpoint {
    if (this.checkpoint) return this.checkpoint;
    throw new MakemoreError("NO_MODEL", `${call}: there is no model yet; call train or load first.`);
  }

  /** Returns the current model, also in the middle of a training. */
  async snapshot(call: string, signal: AbortSignal): Promise<Checkpoint> {
    return this.training ? orAborted(this.training.snapshot(), signal) : this.model(call);
  }

  /**
   * Returns the words for a call: those passed, split like the training's words, or the training's own words.
   *
   * @throws MakemoreError `NO_WORDS`, `INVALID_WORDS`, `INVALID_OPTION`
   */
  async words(
    call: string,
    { vocabulary, recipe, words: expected }: Checkpoint,
    words: EncodedWords | undefined,
    signal: AbortSignal,
    column?: string | number,
  ): Promise<Dataset> {
    if (words) {
      const reading = { call, isTraining: call !== "evaluate", column };
      const { lists } = await readLists(words, reading, signal);
      const options = { ...recipe, vocabulary };
      const dataset = await inSlices(datasetWork(sameGroups(call, vocabulary, lists), options), signal);
      const refuse = call === "evaluate" ? refuseOtherOrder : refuseOtherWords;
      if (expected) refuse(call, expected, await inSlices(fingerprintWork(dataset), signal));
      return dataset;
    }
    if (column !== undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: column is ${formatValue(column)}, and there are no words; give { words, column }.`,
      );
    if (this.dataset) return this.dataset;
    throw new MakemoreError(
      "NO_WORDS",
      `${call}: a loaded model comes without its words; give them, as ${call === "resume" ? "resume({ words })" : `${call}(words)`} or load(file, { words }).`,
    );
  }
}

/** Receives the words of a call and parses them. */
export async function readWords(
  words: EncodedWords,
  reading: Reading,
  signal: AbortSignal,
): Promise<WordList> {
  if (words.groups)
    throw new MakemoreError("INVALID_WORDS", `${reading.call}: the words are lists by group; give one list.`);
  return inSlices(wordsWork(await receiveWords(words, signal), reading), signal);
}

/**
 * Like `readWords`, but the words may be lists by group.
 *
 * @throws MakemoreError also `INVALID_WORDS` for a name that is empty, or not trimmed and on one line
 */
export async function readLists(
  words: EncodedWords,
  reading: Reading,
  signal: AbortSignal,
): Promise<{ lists: Lists; notices: readonly string[] }> {
  if (!words.groups) {
    const { text, notices } = await readWords(words, reading, signal);
    return { lists: text, notices };
  }
  const lists = new Map<string, string>();
  const notices: string[] = [];
  for (const list of await receiveLists(words, signal)) {
    if (!isGroupName(list.name))
      throw new MakemoreError(
        "INVALID_WORDS",
        `${reading.call}: a group's name is ${formatValue(list.name)}; it must be on one line, without spaces at its ends.`,
      );
    const call = `${reading.call}: group ${formatValue(list.name)}`;
    const read = await inSlices(wordsWork(list, { ...reading, call }), signal);
    lists.set(list.name, read.text);
    notices.push(...read.notices);
  }
  return { lists, notices };
}

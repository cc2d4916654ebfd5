/** Look-up structures for a list of words, one per split. They are made once per list, and cached as long as it lives. */
import { inSlices, type Work } from "../../src/slices";
import { type Dataset, type TokenStream, WordSet } from "./dataset";
import { NearWords } from "./nearWords";

/** The set of all words, per split. */
export const wordSets = ofEachSplit(WordSet.work);

/** The index for `minDistance`, per split. */
export const nearWords = ofEachSplit(NearWords.work);

function ofEachSplit<T>(
  work: (stream: TokenStream, firstGroup: number) => Work<T>,
): (dataset: Dataset) => Promise<T[]> {
  const kept = new WeakMap<Dataset, Promise<T[]>>();
  return (dataset) => {
    const { train, validation, test, vocabulary } = dataset;
    const before = kept.get(dataset);
    if (before) return before;
    const made = Promise.all(
      [train, validation, test].map((stream) => inSlices(work(stream, vocabulary.firstGroup))),
    );
    kept.set(dataset, made);
    // Do not cache a failure.
    made.catch(() => kept.delete(dataset));
    return made;
  };
}

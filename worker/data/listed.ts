/** What is looked up in a list of words: made once for a list, one for each split, and kept as long as the list is. */
import { inSlices, type Work } from "../../src/slices";
import { type Dataset, type TokenStream, WordSet } from "./dataset";
import { NearWords } from "./nearWords";

/** Every word of the list. */
export const wordSets = ofEachSplit(WordSet.work);

/** The words by what is near to them. */
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
    // A failure is not kept.
    made.catch(() => kept.delete(dataset));
    return made;
  };
}

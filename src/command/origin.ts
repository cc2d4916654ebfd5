/** Tells where a sampled word occurs, as makemore.py does: in the training words, the held-out words, or neither. */

import { buildDataset, type TokenStream } from "../../worker/data/dataset";
import { seedNumber } from "../../worker/data/random";
import { wordsWork } from "../../worker/data/text";
import { runToEnd } from "../slices";

/** Where a word occurs. `"test"` includes the validation words; `"list"` means that the split is unknown. */
export type Origin = "train" | "test" | "list" | "new";

/** Shares of train, validation and test that the command trains with. */
export const SPLIT = [0.8, 0.1, 0.1] as const;

/** The words of the command, as its file has them. */
export interface Words {
  readonly text: string;
  readonly column: string | number | undefined;
}

/**
 * @param seed of the training; undefined if only a file has it, because the split is then unknown
 */
export function originsOf(
  { text, column }: Words,
  seed: number | string | undefined,
): (word: string) => Origin {
  const list = runToEnd(wordsWork({ text, isText: true }, { call: "train", column }));
  const dataset = buildDataset(list.text, { seed: seedNumber(seed ?? 0), split: SPLIT, shuffle: true });
  const { characters } = dataset.vocabulary;
  const wordsOf = (...streams: TokenStream[]) => {
    const words = new Set<string>();
    for (const stream of streams) {
      let word = "";
      for (const id of stream) {
        if (id !== 0) word += characters[id - 1];
        else {
          words.add(word);
          word = "";
        }
      }
    }
    return words;
  };
  const train = wordsOf(dataset.train);
  const test = wordsOf(dataset.validation, dataset.test);
  return (word) => {
    if (!train.has(word) && !test.has(word)) return "new";
    if (seed === undefined) return "list";
    return train.has(word) ? "train" : "test";
  };
}

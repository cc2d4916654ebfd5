import type { ScoredWords } from "./protocol";
import { ITEMS, type Work } from "./slices";
import type { WordScore } from "./types";

/** Builds the result of `score`, in slices, because one word may have millions of characters. */
export function* wordScores({ words, surprises }: ScoredWords): Work<WordScore[]> {
  const scores: WordScore[] = [];
  let at = 0;
  for (const word of words) {
    const ofCharacters: WordScore["surprises"] = [];
    let sum = 0;
    const add = (character: string) => {
      const surprise = surprises[at++] ?? Number.NaN;
      sum += surprise;
      ofCharacters.push({ character, surprise });
    };
    for (const character of word) {
      add(character);
      if ((at & (ITEMS - 1)) === 0) yield;
    }
    add("");
    const logLikelihood = -sum;
    scores.push({
      word,
      logLikelihood,
      perCharacter: logLikelihood / ofCharacters.length,
      surprises: ofCharacters,
    });
  }
  return scores;
}

import { wordScores } from "../src/scores";
import { runToEnd } from "../src/slices";
import type { WordScore } from "../src/types";
import type { Vocabulary } from "../worker/data/vocabulary";
import type { Inference } from "../worker/sampling/inference";

/** Scores words in the worker and assembles the parts, as the page's `score` does. */
export async function scoreWords(
  inference: Inference,
  vocabulary: Vocabulary,
  words: readonly string[],
): Promise<WordScore[]> {
  const scores: WordScore[] = [];
  const tokens = [0, ...words.flatMap((word) => [...vocabulary.encode(word), 0])];
  const TokenArray = vocabulary.size > 256 ? Uint16Array : Uint8Array;
  await inference.score(TokenArray.from(tokens), (part) => {
    scores.push(...runToEnd(wordScores(part)));
  });
  return scores;
}

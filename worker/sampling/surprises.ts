/**
 * -log p of every character of words, boundaries after them included: what `score` shows and
 * `evaluate` averages. Contexts are gathered until there are enough for one run of the graph.
 */

import { nextTask } from "../../src/slices";
import { type TokenStream, wordStart } from "../data/dataset";
import { BOUNDARY } from "../data/vocabulary";
import { DistinctNodes } from "./distinctNodes";
import type { Feed, GraphSession } from "./runtime";
import { diverged } from "./sample";

/** Distinct contexts of one run: enough to keep ONNX Runtime busy, few enough for 50 ms. */
const CONTEXTS = { most: 8192, fewest: 64 };
/** Numbers in the output of one run, [contexts, vocabulary]: 8 MB, and each operator's as much. */
const NUMBERS = 2 ** 21;
/** Positions of one run, which may share a few contexts. */
const POSITIONS = 32_768;

/** A word as a slice of tokens, without its boundaries. */
export interface WordSlice {
  readonly tokens: ArrayLike<number>;
  readonly start: number;
  /** Its first character, after the token of its group. Default: `start`, because it has no group. */
  readonly first?: number;
  readonly end: number;
}

/** A graph of `worker/onnx/sharedTree.ts`, ready to run. */
export interface TreeSession {
  readonly session: Pick<GraphSession, "run">;
  readonly levels: readonly { readonly input: string; readonly fold: number }[];
  readonly vocabularySize: number;
  /** Ids from this one on begin words of a group. Default: there are none. */
  readonly firstGroup?: number;
  /** Distinct contexts of one run at most, so that it is short. */
  readonly most: number;
}

/** The words of a stream. */
export function* wordsOf(stream: TokenStream, firstGroup?: number): Generator<WordSlice> {
  for (let start = 1; start < stream.length; ) {
    const end = stream.indexOf(BOUNDARY, start);
    yield { tokens: stream, start, first: wordStart(stream, start, firstGroup), end };
    start = end + 1;
  }
}

/**
 * The surprise, in nats, of each position in turn: a word's characters, then its end. They come as the
 * graph runs, one run at a time, and the event loop takes a turn after each.
 *
 * @param stopped asked after each run; once true, no more come
 * @throws MakemoreError `SAMPLING_FAILED` where one is not a number
 */
export async function* surprises(
  { session, levels, vocabularySize, firstGroup = vocabularySize, most }: TreeSession,
  words: Iterable<WordSlice>,
  stopped: () => boolean,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const windows = new DistinctNodes(levels.map((level) => level.fold));
  const contexts = Math.max(
    1,
    Math.min(most, CONTEXTS.most, Math.max(CONTEXTS.fewest, Math.floor(NUMBERS / vocabularySize))),
  );
  const rows = new Int32Array(POSITIONS);
  const targets = new Int32Array(POSITIONS);
  let count = 0;
  const run = async () => {
    const nodes = windows.nodes;
    const feeds = Object.fromEntries(
      levels.map(({ input, fold }, i): [string, Feed] => [
        input,
        { data: nodes[i]?.neighbours ?? new Int32Array(0), dimensions: [nodes[i]?.count ?? 0, fold] },
      ]),
    );
    const { logProbabilities } = await session.run(feeds);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const offset = (rows[i] ?? 0) * vocabularySize;
      values[i] = surpriseOf(logProbabilities, offset, targets[i] ?? 0, { vocabularySize, firstGroup });
    }
    windows.clear();
    count = 0;
    await nextTask();
    return values;
  };
  for (const { tokens, start, first = start, end } of words) {
    // A word of any length, in pieces that fit.
    for (let from = first; from <= end; ) {
      const to = Math.min(end, from + Math.min(contexts, POSITIONS - count) - 1);
      windows.add(tokens, start, from, to, rows, count);
      for (let position = from; position <= to; position++)
        targets[count++] = position === end ? BOUNDARY : (tokens[position] ?? BOUNDARY);
      from = to + 1;
      if (count === POSITIONS || windows.contexts >= contexts) {
        yield await run();
        if (stopped()) return;
      }
    }
  }
  if (count > 0) yield await run();
}

/**
 * -log p of a token, nats. What begins words of groups never follows, so its probability is left out.
 *
 * @param values log probabilities of the whole vocabulary, from `offset` on
 * @throws MakemoreError `SAMPLING_FAILED` if it is not a number
 */
export function surpriseOf(
  values: Float32Array | undefined,
  offset: number,
  token: number,
  { vocabularySize, firstGroup }: { readonly vocabularySize: number; readonly firstGroup: number },
): number {
  let surprise = -(values?.[offset + token] ?? Number.NaN);
  if (firstGroup < vocabularySize) {
    let ofGroups = 0;
    for (let id = firstGroup; id < vocabularySize; id++) ofGroups += Math.exp(values?.[offset + id] ?? 0);
    surprise += Math.log1p(-ofGroups);
  }
  if (Number.isNaN(surprise)) throw diverged();
  return surprise;
}

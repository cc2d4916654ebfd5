/**
 * -log p of every character of words, boundaries after them included: what `score` shows and
 * `evaluate` averages. Contexts are gathered until there are enough for one run of the graph.
 */

import { nextTask } from "../../src/slices";
import type { TokenStream } from "../data/dataset";
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
  readonly end: number;
}

/** A graph of `worker/onnx/sharedTree.ts`, ready to run. */
export interface TreeSession {
  readonly session: Pick<GraphSession, "run">;
  readonly levels: readonly { readonly input: string; readonly fold: number }[];
  readonly vocabularySize: number;
  /** Distinct contexts of one run at most, so that it is short. */
  readonly most: number;
}

/** The words of a stream. */
export function* wordsOf(stream: TokenStream): Generator<WordSlice> {
  for (let start = 1; start < stream.length; ) {
    const end = stream.indexOf(BOUNDARY, start);
    yield { tokens: stream, start, end };
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
  { session, levels, vocabularySize, most }: TreeSession,
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
      const surprise = -(
        logProbabilities?.[(rows[i] ?? 0) * vocabularySize + (targets[i] ?? 0)] ?? Number.NaN
      );
      if (Number.isNaN(surprise)) throw diverged();
      values[i] = surprise;
    }
    windows.clear();
    count = 0;
    await nextTask();
    return values;
  };
  for (const { tokens, start, end } of words) {
    // A word of any length, in pieces that fit.
    for (let from = start; from <= end; ) {
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

/**
 * Computes the surprise, -log p, of every character of words and of their ends: `score` returns these, and `evaluate`
 * averages them. Contexts are collected until there are enough for one run of the graph.
 */
import { nextTask } from "../../src/slices";
import type { WordSlice } from "../data/dataset";
import { BOUNDARY } from "../data/vocabulary";
import { DistinctNodes } from "./distinctNodes";
import type { Feed, GraphSession } from "./runtime";
import { diverged } from "./sample";

/** Distinct contexts per run: enough to use ONNX Runtime well, few enough for runs of about 50 ms. */
const CONTEXTS = { most: 8192, fewest: 64 };
/** Most numbers in the output of one run, [contexts, vocabulary]: 8 MB, for each operator. */
const NUMBERS = 2 ** 21;
/** Most positions per run, because many positions may share a few contexts. */
const POSITIONS = 32_768;

/** A loaded graph of `worker/onnx/sharedTree.ts`. */
export interface TreeSession {
  readonly session: Pick<GraphSession, "run">;
  readonly levels: readonly { readonly input: string; readonly fold: number }[];
  readonly vocabularySize: number;
  /** The first id of a group. Default: there are no groups. */
  readonly firstGroup?: number;
  /** Most distinct contexts per run, so that a run stays short. */
  readonly most: number;
}

/**
 * Yields the surprise of each position in order (a word's characters, then its end), in nats, one array per run. Other
 * tasks get a turn after each run.
 *
 * @param stopped polled after each run; once true, it ends
 * @throws MakemoreError `SAMPLING_FAILED` if a surprise is NaN
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
    // A long word is split into pieces.
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
 * Returns -log p of a token, in nats. Group tokens never follow, so p is renormalised without their probabilities.
 *
 * @param values log probabilities of the whole vocabulary, from index `offset` on
 * @throws MakemoreError `SAMPLING_FAILED` if the result is NaN
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

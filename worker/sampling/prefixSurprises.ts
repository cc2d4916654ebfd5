/** Same as `surprises.ts`, for networks that read words, by the tree of prefixes. */
import { nextTask } from "../../src/slices";
import type { WordSlice } from "../data/dataset";
import { BOUNDARY } from "../data/vocabulary";
import { Prefixes } from "./prefixes";
import { surpriseOf } from "./surprises";

/**
 * Yields the surprise of each position in order (a word's characters, then its end), in nats. Many words walk down the
 * tree together; prefixes that they share are computed once.
 *
 * @param most most words at once, so that a step stays short
 * @param stopped polled after each step; once true, it ends
 * @throws MakemoreError `SAMPLING_FAILED` if a surprise is NaN
 */
export async function* prefixSurprises(
  prefixes: Prefixes,
  words: Iterable<WordSlice>,
  most: number,
  stopped: () => boolean,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const atOnce = Math.min(prefixes.walks, most);
  let batch: WordSlice[] = [];
  for (const word of words) {
    batch.push(word);
    if (batch.length < atOnce) continue;
    const values = await walk(prefixes, batch, stopped);
    if (!values) return;
    yield values;
    batch = [];
  }
  const values = batch.length > 0 ? await walk(prefixes, batch, stopped) : undefined;
  if (values) yield values;
}

/** The surprises of some words, in order; undefined if `stopped` becomes true. */
async function walk(
  prefixes: Prefixes,
  words: readonly WordSlice[],
  stopped: () => boolean,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  const offsets: number[] = [];
  let total = 0;
  for (const { start, first = start, end } of words) {
    offsets.push(total);
    total += end - first + 1;
  }
  const values = new Float32Array(total);
  const nodes = new Int32Array(words.length);
  // Indices of the unfinished words; `nodes` has their nodes in the same order.
  let going = words.map((_, i) => i);
  for (let position = 0; going.length > 0; position++) {
    await prefixes.compute();
    if (prefixes.isFull(going.length)) prefixes.keep(nodes.subarray(0, going.length));
    const next: number[] = [];
    for (const [i, word] of going.entries()) {
      const { tokens, start, first = start, end } = words[word] ?? { tokens: [], start: 0, end: 0 };
      const isEnd = start + position === end;
      const token = isEnd ? BOUNDARY : (tokens[start + position] ?? BOUNDARY);
      const node = nodes[i] ?? Prefixes.root;
      const at = start + position - first;
      if (at >= 0) {
        const { values: logProbabilities, offset } = prefixes.logits(node);
        values[(offsets[word] ?? 0) + at] = surpriseOf(logProbabilities, offset, token, prefixes);
      }
      if (isEnd) continue;
      nodes[next.length] = prefixes.step(node, token);
      next.push(word);
    }
    going = next;
    await nextTask();
    if (stopped()) return undefined;
  }
  return values;
}

/**
 * The n-gram teacher: a hierarchical Dirichlet n-gram of the training split, of orders 0 to 8.
 *
 * For an example, n_k counts the tokens that follow the last k tokens of its context in all other examples (the example
 * itself is left out), and N_k is the sum of n_k. The prediction of order k smooths these counts with that of order
 * k - 1:
 *
 *     P_k = (n_k + a_k P_(k-1)) / (N_k + a_k),   P_-1 uniform
 *
 * Orders that would look beyond the word's beginning are skipped. The teacher's prediction for a context is the mean of
 * P over the context's examples.
 *
 * The mean needs no loop over examples. Leaving an example out lowers N_k by 1, whatever its target is, so P is linear
 * in the target, and the mean is A_k - B_k q. Here q is the context's own distribution. A_k is the recursion above with
 * n_k counting all examples (but N_k still lower by 1). B_k is the same recursion with 1 for n_k, and B_-1 = 0. Both
 * depend only on the last k tokens, and contexts that share them are neighbours in sorted order.
 */
import { ITEMS, type Work } from "../../src/slices";
import { type ContextTable, commonSuffix, contextEnd } from "./contexts";
import type { TokenStream } from "./dataset";
import { BOUNDARY } from "./vocabulary";

/** a_0 to a_8, fitted on names. */
const CONCENTRATIONS = [30, 146, 72, 36, 13, 13, 36, 5000, 5000];

/**
 * Predicts what follows each context, float32 [contexts, vocabulary].
 *
 * @param sorted positions of the examples in sorted order
 */
export function* ngramWork(
  stream: TokenStream,
  sorted: Uint32Array,
  { ranks, contexts }: Pick<ContextTable, "ranks" | "contexts">,
  contextLength: number,
  vocabularySize: number,
): Work<Float32Array<ArrayBuffer>> {
  const count = sorted.length;
  const orders = Math.min(contextLength + 1, CONCENTRATIONS.length);
  const out = new Float32Array((contexts.length / 2 - 1) * vocabularySize);
  // A_k and B_k by order, for the current context.
  const A = Array.from({ length: orders }, () => new Float64Array(vocabularySize));
  const B = new Float64Array(orders);
  const ends = new Uint32Array(orders);
  const uniform = new Float64Array(vocabularySize).fill(1 / vocabularySize);
  const own = new Float64Array(vocabularySize);
  let context = 0;
  for (let start = 0; start < count; context++) {
    if ((context & (ITEMS / 64 - 1)) === 0) yield;
    const position = sorted[start] ?? 0;
    const end = contextEnd(ranks, start, count);
    const written = charactersBefore(stream, position, contextLength);
    let last = -1;
    for (let order = 0; order < orders && order <= written + 1; order++) {
      last = order;
      if (start < (ends[order] ?? 0)) continue;
      const before = A[order - 1] ?? uniform;
      const a = CONCENTRATIONS[order] ?? 0;
      const values = (A[order] ?? uniform).fill(0);
      let i = start;
      for (; i < count && sharesSuffix(stream, position, sorted[i] ?? 0, order); i++) {
        const target = stream[sorted[i] ?? 0] ?? BOUNDARY;
        values[target] = (values[target] ?? 0) + 1;
      }
      ends[order] = i;
      const total = i - start - 1 + a;
      for (let token = 0; token < vocabularySize; token++)
        values[token] = ((values[token] ?? 0) + a * (before[token] ?? 0)) / total;
      B[order] = (1 + a * (B[order - 1] ?? 0)) / total;
    }
    own.fill(0);
    for (let i = start; i < end; i++) {
      const target = stream[sorted[i] ?? 0] ?? BOUNDARY;
      own[target] = (own[target] ?? 0) + 1 / (end - start);
    }
    const values = A[last] ?? uniform;
    for (let token = 0; token < vocabularySize; token++)
      out[context * vocabularySize + token] = (values[token] ?? 0) - (B[last] ?? 0) * (own[token] ?? 0);
    start = end;
  }
  return out;
}

/** Whether two contexts end in the same `length` tokens. */
function sharesSuffix(stream: TokenStream, a: number, b: number, length: number): boolean {
  return commonSuffix(stream, a, b, length) === length;
}

/** Number of the word's characters before a position, at most `most`. */
function charactersBefore(stream: TokenStream, position: number, most: number): number {
  let written = 0;
  while (written < most && stream[position - 1 - written] !== BOUNDARY) written++;
  return written;
}

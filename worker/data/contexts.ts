/**
 * The table of the distinct contexts of a split, with the tokens that follow each. It is built from the examples sorted
 * by context, last token first, so that equal contexts are neighbours. Read examples.ts first.
 */
import { inBlocks, type Work } from "../../src/slices";
import { exampleCount, type TokenStream } from "./dataset";
import { BOUNDARY } from "./vocabulary";

/** The distinct contexts of a split, in sorted order, and what follows each. */
export interface ContextTable {
  /**
   * Maps an example to its context. For each block of 32 examples in sorted order: the number of contexts that begin
   * before the block, and a bitmask of the examples that begin a context. u32 [ceil(N / 32), 2].
   */
  readonly ranks: Uint32Array<ArrayBuffer>;
  /**
   * For each context: the position of one of its examples, and the index of its first pair. One extra entry marks the
   * end of the last context's pairs. u32 [contexts + 1, 2].
   */
  readonly contexts: Uint32Array<ArrayBuffer>;
  /**
   * Tokens that follow a context, each with its share (the bits of a float32). The token at the context's own position
   * is left out: its share is what remains of 1. u32 [pairs, 2].
   */
  readonly pairs: Uint32Array<ArrayBuffer>;
  /** Examples: N. */
  readonly count: number;
}

/**
 * Sorts the positions of all examples by context, last token first, then by target. A radix sort; padding counts as
 * the boundary.
 */
export function* sortWork(
  stream: TokenStream,
  contextLength: number,
  vocabularySize: number,
  firstGroup: number,
): Work<Uint32Array<ArrayBuffer>> {
  const end = exampleCount(stream);
  let from = yield* positionsWork(stream, firstGroup);
  const count = from.length;
  // Least significant first: the target, then the context's tokens from the farthest to the nearest.
  const distanceOf = (place: number) => (place === 0 ? 0 : contextLength + 1 - place);
  // As many tokens per pass as fit a digit of 16 bits, because each pass costs one cache miss per example.
  let tokens = 1;
  while (vocabularySize ** (tokens + 1) <= 65_536 && tokens <= contextLength) tokens++;
  const starts = new Uint32Array(vocabularySize ** tokens + 1);
  // The digits of a pass, in stream order, so that only this array is read out of order.
  const digits = new Uint16Array(end + 1);
  let to = new Uint32Array(count);
  for (let place = 0; place <= contextLength; place += tokens) {
    const high = Math.min(place + tokens - 1, contextLength);
    starts.fill(0);
    // Number of the word's characters before the position.
    let written = 0;
    yield* inBlocks(end, (first, last) => {
      for (let position = first + 1; position <= last; position++) {
        let digit = 0;
        for (let i = high; i >= place; i--) {
          const distance = distanceOf(i);
          const token = distance <= written ? (stream[position - distance] ?? BOUNDARY) : BOUNDARY;
          digit = digit * vocabularySize + token;
        }
        digits[position] = digit;
        if ((stream[position] ?? 0) < firstGroup) starts[digit + 1] = (starts[digit + 1] ?? 0) + 1;
        written = stream[position] === BOUNDARY ? 0 : written + 1;
      }
    });
    // All digits are padding: no word is this long, so there is nothing to sort.
    if (starts[BOUNDARY + 1] === count) continue;
    for (let digit = 1; digit < starts.length; digit++)
      starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0);
    yield* inBlocks(count, (first, last) => {
      for (let i = first; i < last; i++) {
        const position = from[i] ?? 0;
        const digit = digits[position] ?? 0;
        const at = starts[digit] ?? 0;
        to[at] = position;
        starts[digit] = at + 1;
      }
    });
    [from, to] = [to, from];
  }
  return from;
}

/** Lists the positions of all examples in stream order, without those of group tokens, which are never predicted. */
export function* positionsWork(stream: TokenStream, firstGroup: number): Work<Uint32Array<ArrayBuffer>> {
  const positions = new Uint32Array(exampleCount(stream));
  let count = 0;
  yield* inBlocks(stream.length, (first, last) => {
    for (let position = Math.max(1, first); position < last; position++)
      if ((stream[position] ?? 0) < firstGroup) positions[count++] = position;
  });
  return positions.slice(0, count);
}

/** Length of the suffix that the contexts of two positions share, at most `contextLength`. */
export function commonSuffix(stream: TokenStream, a: number, b: number, contextLength: number): number {
  for (let depth = 1; depth <= contextLength; depth++) {
    const token = stream[a - depth];
    if (token !== stream[b - depth]) return depth - 1;
    // Both contexts are padding from here on.
    if (token === BOUNDARY) return contextLength;
  }
  return contextLength;
}

/** Builds the table of distinct contexts from sorted examples. */
export function* contextTableWork(
  stream: TokenStream,
  contextLength: number,
  sorted: Uint32Array<ArrayBuffer>,
): Work<ContextTable> {
  const count = sorted.length;
  const ranks = new Uint32Array(2 * Math.ceil(count / 32));
  let contexts = 0;
  let pairCount = 0;
  yield* inBlocks(count, (first, last) => {
    for (let i = first; i < last; i++) {
      if ((i & 31) === 0) ranks[i >>> 4] = contexts;
      const position = sorted[i] ?? 0;
      const previous = sorted[i - 1] ?? 0;
      if (i === 0 || commonSuffix(stream, position, previous, contextLength) < contextLength) {
        const block = 2 * (i >>> 5) + 1;
        ranks[block] = (ranks[block] ?? 0) | (1 << (i & 31));
        contexts++;
      } else if (stream[position] !== stream[previous]) pairCount++;
    }
  });
  const entries = new Uint32Array(2 * (contexts + 1));
  const pairs = new Uint32Array(2 * pairCount);
  const shares = new Float32Array(pairs.buffer);
  let pair = 0;
  let start = 0;
  yield* inBlocks(contexts, (first, last) => {
    for (let context = first; context < last; context++) {
      const end = contextEnd(ranks, start, count);
      entries[2 * context] = sorted[start] ?? 0;
      entries[2 * context + 1] = pair;
      // Runs of equal targets. The first run is left out: it is the target at the context's position.
      for (let run = start; run < end; ) {
        const target = stream[sorted[run] ?? 0] ?? BOUNDARY;
        let next = run + 1;
        while (next < end && stream[sorted[next] ?? 0] === target) next++;
        if (run > start) {
          pairs[2 * pair] = target;
          shares[2 * pair + 1] = (next - run) / (end - start);
          pair++;
        }
        run = next;
      }
      start = end;
    }
  });
  entries[2 * contexts + 1] = pair;
  return { ranks, contexts: entries, pairs, count };
}

/** The index after the last example of the context that begins at `start`. */
export function contextEnd(ranks: Uint32Array, start: number, count: number): number {
  let end = start + 1;
  while (end < count && (((ranks[2 * (end >>> 5) + 1] ?? 0) >>> (end & 31)) & 1) === 0) end++;
  return end;
}

/**
 * Finds out whether a list has a word within a few edits of a given one. The Damerau-Levenshtein distance counts
 * insertions, deletions, substitutions and swaps of neighbours. A length check and a comparison of character sets rule
 * out most words in a few instructions; the rest need the bounded algorithm of Lowrance and Wagner (JACM 22(2), 1975).
 */
import { ITEMS, type Work } from "../../src/slices";
import { bitCount } from "./bitCount";
import { type TokenStream, wordsOf } from "./dataset";
import { MAX_VOCABULARY } from "./vocabulary";

export class NearWords {
  readonly #stream: TokenStream;
  /** Start of each word in the stream, shortest words first; `#sets` has their character sets in the same order. */
  readonly #starts: Uint32Array;
  readonly #sets: Uint32Array;
  /** For each length, the number of words that are shorter. */
  readonly #shorter: Uint32Array;

  private constructor(stream: TokenStream, starts: Uint32Array, sets: Uint32Array, shorter: Uint32Array) {
    this.#stream = stream;
    this.#starts = starts;
    this.#sets = sets;
    this.#shorter = shorter;
  }

  /** Builds the index of a stream's words, in slices. */
  static *work(stream: TokenStream, firstGroup?: number): Work<NearWords> {
    let words = 0;
    let longest = 0;
    for (const { first, end } of wordsOf(stream, firstGroup)) {
      longest = Math.max(longest, end - first);
      if ((++words & (ITEMS - 1)) === 0) yield;
    }
    const shorter = new Uint32Array(longest + 2);
    for (const { first, end } of wordsOf(stream, firstGroup)) {
      const longer = end - first + 1;
      shorter[longer] = (shorter[longer] ?? 0) + 1;
      if ((++words & (ITEMS - 1)) === 0) yield;
    }
    for (let length = 1; length < shorter.length; length++)
      shorter[length] = (shorter[length] ?? 0) + (shorter[length - 1] ?? 0);
    const next = shorter.slice();
    const count = shorter.at(-1) ?? 0;
    const starts = new Uint32Array(count);
    const sets = new Uint32Array(count);
    for (const { first, end } of wordsOf(stream, firstGroup)) {
      const place = next[end - first] ?? 0;
      next[end - first] = place + 1;
      starts[place] = first;
      sets[place] = charactersOf(stream, first, end);
      if ((++words & (ITEMS - 1)) === 0) yield;
    }
    return new NearWords(stream, starts, sets, shorter);
  }

  /** Whether a listed word is at most `distance` edits away. */
  hasWithin(word: ArrayLike<number>, distance: number): boolean {
    const own = charactersOf(word, 0, word.length);
    const longest = this.#shorter.length - 2;
    // Words of the same length first, because they are the most likely to be near.
    for (let difference = 0; difference <= distance; difference++)
      for (const length of difference === 0
        ? [word.length]
        : [word.length - difference, word.length + difference]) {
        if (length < 1 || length > longest) continue;
        const end = this.#shorter[length + 1] ?? 0;
        for (let i = this.#shorter[length] ?? 0; i < end; i++) {
          const set = this.#sets[i] ?? 0;
          // An edit removes at most one character from the set, and adds at most one.
          if (bitCount(own & ~set) > distance || bitCount(set & ~own) > distance) continue;
          if (isWithin(word, this.#stream, this.#starts[i] ?? 0, length, distance)) return true;
        }
      }
    return false;
  }
}

/** The set of the ids at [start, end) as 32 bits. Ids that are equal modulo 32 share a bit. */
function charactersOf(ids: ArrayLike<number>, start: number, end: number): number {
  let set = 0;
  for (let i = start; i < end; i++) set |= 1 << ((ids[i] ?? 0) & 31);
  return set;
}

/** For each id, the last row that has it. All 0 between calls of `isWithin`. */
const rowOf = new Uint32Array(MAX_VOCABULARY + 1);
/** Distances between prefixes of the two words, [word + 1, other + 2]. Reused from call to call. */
let distances = new Uint32Array(0);

/**
 * Whether the Damerau-Levenshtein distance of two words is at most `most`. The second word is a slice of a stream. Only
 * cells within `most` of the diagonal are computed, because all others are farther.
 */
function isWithin(
  word: ArrayLike<number>,
  stream: TokenStream,
  start: number,
  length: number,
  most: number,
): boolean {
  if (Math.max(word.length, length) <= most) return true;
  const width = length + 2;
  const far = most + 1;
  if (distances.length < (word.length + 1) * width)
    distances = new Uint32Array(2 * (word.length + 1) * width);
  const d = distances;
  for (let column = 0; column < width; column++) d[column] = column;
  let row = 1;
  let nearest = 0;
  for (; row <= word.length && nearest <= most; row++) {
    const id = word[row - 1] ?? 0;
    const at = row * width;
    const first = Math.max(1, row - most);
    const last = Math.min(length, row + most);
    d[at + first - 1] = first === 1 ? row : far;
    nearest = d[at + first - 1] ?? 0;
    // Last column so far that has the row's character.
    let column = 0;
    for (let j = first; j <= last; j++) {
      const other = stream[start + j - 1] ?? 0;
      const isEqual = other === id;
      let best = Math.min(
        (d[at - width + j - 1] ?? 0) + (isEqual ? 0 : 1),
        (d[at - width + j] ?? 0) + 1,
        (d[at + j - 1] ?? 0) + 1,
      );
      const swapped = rowOf[other] ?? 0;
      if (swapped > 0 && column > 0 && Math.abs(swapped - column) <= most)
        best = Math.min(best, (d[(swapped - 1) * width + column - 1] ?? 0) + row - swapped - 1 + j - column);
      d[at + j] = best;
      nearest = Math.min(nearest, best);
      if (isEqual) column = j;
    }
    d[at + last + 1] = far;
    rowOf[id] = row;
  }
  for (let i = 0; i < row - 1; i++) rowOf[word[i] ?? 0] = 0;
  // `nearest` is above `most` if the loop ended early, because all cells of a row were too far.
  return nearest <= most && (d[word.length * width + length] ?? far) <= most;
}

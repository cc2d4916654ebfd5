/**
 * Distinct words in insertion order. A Set of a million words takes 100 ms whenever its table grows,
 * so the words are spread over many small Sets.
 */

/** A power of two. */
const SETS = 64;

export class WordSet {
  readonly #sets = Array.from({ length: SETS }, () => new Set<string>());
  readonly #inOrder: string[] = [];

  get size(): number {
    return this.#inOrder.length;
  }

  has(word: string): boolean {
    return this.#setOf(word).has(word);
  }

  /** Adds a word; false if it was there. */
  add(word: string): boolean {
    const set = this.#setOf(word);
    if (set.has(word)) return false;
    set.add(word);
    this.#inOrder.push(word);
    return true;
  }

  /** The word at an index, from 0. */
  at(place: number): string | undefined {
    return this.#inOrder[place];
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#inOrder.values();
  }

  #setOf(word: string): Set<string> {
    const { length } = word;
    const hash =
      word.charCodeAt(0) + 5 * word.charCodeAt(length >> 1) + 17 * word.charCodeAt(length - 1) + 31 * length;
    return this.#sets[hash & (SETS - 1)] ?? new Set();
  }
}

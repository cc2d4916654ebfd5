import { ITEMS, type Work } from "../../src/slices";
import { type TokenStream, WordSet, wordsOf } from "./dataset";

/** Words and parts of words to look for inside other words. */
export class Parts {
  readonly #set: WordSet;
  /** The distinct lengths of the parts, shortest first. */
  readonly #lengths: readonly number[];

  private constructor(set: WordSet, lengths: readonly number[]) {
    this.#set = set;
    this.#lengths = lengths;
  }

  /** Makes parts of all words of a stream, in slices. */
  static *work(stream: TokenStream): Work<Parts> {
    const set = yield* WordSet.work(stream);
    const lengths = new Set<number>();
    let words = 0;
    for (const { start, end } of wordsOf(stream)) {
      lengths.add(end - start);
      if ((++words & (ITEMS - 1)) === 0) yield;
    }
    return new Parts(
      set,
      [...lengths].sort((a, b) => a - b),
    );
  }

  /** The length of the shortest part that ends at `end`; 0 if none does. */
  endingAt(ids: ArrayLike<number>, end = ids.length): number {
    for (const length of this.#lengths) {
      if (length > end) break;
      if (this.#set.has(ids, end - length, end)) return length;
    }
    return 0;
  }

  /** The part that ends first within a word; undefined if the word has none. */
  in(ids: readonly number[]): readonly number[] | undefined {
    for (let end = 1; end <= ids.length; end++) {
      const length = this.endingAt(ids, end);
      if (length > 0) return ids.slice(end - length, end);
    }
    return undefined;
  }
}

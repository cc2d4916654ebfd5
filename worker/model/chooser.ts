/** Chooses the next character from logits. */
import { BOUNDARY } from "../data/vocabulary";

export interface ChoiceOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/** Chooses characters by their logits. Reuses its scratch memory from call to call. */
export class Chooser {
  readonly #weights: Float64Array;
  /** Ids, likeliest first; only needed for topK and topP. */
  readonly #order: Uint32Array | undefined;

  constructor(
    vocabularySize: number,
    readonly options: ChoiceOptions,
  ) {
    this.#weights = new Float64Array(vocabularySize);
    const all = options.topK >= vocabularySize && options.topP >= 1;
    this.#order = all ? undefined : new Uint32Array(vocabularySize);
  }

  /**
   * Chooses the character at `unit` of the cumulative distribution.
   *
   * @param logits logits, from index `offset` on
   * @param unit random number in [0, 1)
   * @param mayEnd whether the boundary may be chosen
   * @returns the character's id, or -1 if the logits are NaN
   */
  choose(logits: Float32Array, offset: number, unit: number, mayEnd: boolean): number {
    const weights = this.#weights;
    const first = mayEnd ? BOUNDARY : BOUNDARY + 1;
    const total = this.#weigh(logits, offset, first);
    if (!(total > 0)) return -1;
    if (this.#order) return this.#chooseLikely(this.#order, first, total, unit);
    let rest = unit * total;
    let last = first;
    for (let id = first; id < weights.length; id++) {
      const weight = weights[id] ?? 0;
      if (weight === 0) continue;
      if (rest < weight) return id;
      rest -= weight;
      last = id;
    }
    // Rounding errors may lead here.
    return last;
  }

  /** The probability that `choose` returns this character; NaN or 0 if the logits are NaN. */
  probability(logits: Float32Array, offset: number, id: number, mayEnd: boolean): number {
    const first = mayEnd ? BOUNDARY : BOUNDARY + 1;
    if (id < first) return 0;
    let total = this.#weigh(logits, offset, first);
    if (this.#order) {
      const kept = this.#keepLikely(this.#order, first, total);
      if (!this.#order.subarray(0, kept.count).includes(id)) return 0;
      total = kept.sum;
    }
    return (this.#weights[id] ?? 0) / total;
  }

  /** Computes the weights of the ids from `first` on. @returns their sum */
  #weigh(logits: Float32Array, offset: number, first: number): number {
    const weights = this.#weights;
    const { temperature } = this.options;
    let highest = Number.NEGATIVE_INFINITY;
    for (let id = first; id < weights.length; id++) highest = Math.max(highest, logits[offset + id] ?? 0);
    let total = 0;
    for (let id = first; id < weights.length; id++) {
      const weight = Math.exp(((logits[offset + id] ?? 0) - highest) / temperature);
      weights[id] = weight;
      total += weight;
    }
    return total;
  }

  #chooseLikely(order: Uint32Array, first: number, total: number, unit: number): number {
    const weights = this.#weights;
    const { count, sum } = this.#keepLikely(order, first, total);
    let rest = unit * sum;
    for (let i = 0; i < count - 1; i++) {
      const id = order[i] ?? 0;
      rest -= weights[id] ?? 0;
      if (rest < 0) return id;
    }
    return order[count - 1] ?? first;
  }

  /** Sorts the ids by weight into `order`. @returns how many of the first may be chosen, and the sum of their weights */
  #keepLikely(order: Uint32Array, first: number, total: number): { count: number; sum: number } {
    const weights = this.#weights;
    const all = weights.length - first;
    for (let i = 0; i < all; i++) order[i] = first + i;
    // Break ties by id.
    order.subarray(0, all).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
    const { topK, topP } = this.options;
    let count = 0;
    let sum = 0;
    while (count < Math.min(topK, all) && (count === 0 || sum < topP * total))
      sum += weights[order[count++] ?? 0] ?? 0;
    return { count, sum };
  }
}

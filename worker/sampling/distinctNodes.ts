/**
 * The distinct nodes of the tree over many contexts: what `worker/onnx/sharedTree.ts` computes.
 * Two nodes are one where their characters are the same, and then the nodes below them are, too;
 * so a node is the list of rows of the nodes that it joins, and each level is a set of such lists.
 */
import { BOUNDARY } from "../data/vocabulary";

export class DistinctNodes {
  readonly #levels: readonly NodeTable[];
  readonly #contextLength: number;

  /** @param folds of each level, from the characters up */
  constructor(folds: readonly number[]) {
    let dilation = 1;
    this.#levels = folds.map((fold) => {
      const level = new NodeTable(fold, dilation);
      dilation *= fold;
      return level;
    });
    this.#contextLength = dilation;
    this.clear();
  }

  /** Forgets all contexts. */
  clear(): void {
    let below = BOUNDARY;
    for (const level of this.#levels) below = level.clear(below);
  }

  /** Distinct contexts so far. */
  get contexts(): number {
    return this.#levels.at(-1)?.count ?? 0;
  }

  /** Distinct nodes of each level and the rows that they join, [nodes, fold]. */
  get nodes(): readonly { readonly count: number; readonly neighbours: Int32Array }[] {
    return this.#levels;
  }

  /**
   * Adds the contexts of the positions [from, to] of a word; position `to` is the boundary after
   * it when `to` is the word's end.
   *
   * @param start where the word begins in `tokens`
   * @param rows receives the row of each position's context, from `at` on
   */
  add(
    tokens: ArrayLike<number>,
    start: number,
    from: number,
    to: number,
    rows: Int32Array,
    at: number,
  ): void {
    const first = Math.max(start, from - this.#contextLength);
    let below = tokens;
    let offset = first;
    for (const level of this.#levels) {
      level.slide(below, offset, to - first);
      below = level.sliding;
      offset = 0;
    }
    const top = this.#levels.at(-1);
    if (!top) return;
    // The context of a position ends one character before it.
    for (let position = from; position <= to; position++)
      rows[at + position - from] = position === first ? top.blank : (top.sliding[position - first - 1] ?? 0);
  }
}

/** The distinct nodes of a level: an open-addressing table of rows. */
class NodeTable {
  count = 0;
  /** The row of the node over nothing but boundaries. */
  blank = 0;
  /** The rows of the nodes that end at each character of the word under way. */
  sliding = new Int32Array(64);
  #below = 0;
  #rows = new Int32Array(1024);
  #slots = new Int32Array(2048);

  constructor(
    readonly fold: number,
    readonly dilation: number,
  ) {}

  get neighbours(): Int32Array {
    return this.#rows.subarray(0, this.count * this.fold);
  }

  /** @returns the row of the node over boundaries, for the level above */
  clear(below: number): number {
    this.count = 0;
    this.#slots.fill(0);
    this.#below = below;
    this.#reserve();
    this.#rows.fill(below, 0, this.fold);
    this.blank = this.#find();
    return this.blank;
  }

  /** The nodes that end at each of `length` characters whose nodes below are given; before them are boundaries. */
  slide(below: ArrayLike<number>, offset: number, length: number): void {
    if (this.sliding.length < length) this.sliding = new Int32Array(length * 2);
    const { fold, dilation } = this;
    for (let i = 0; i < length; i++) {
      this.#reserve();
      const row = this.count * fold;
      for (let j = 0; j < fold; j++) {
        const neighbour = i - (fold - 1 - j) * dilation;
        this.#rows[row + j] = neighbour < 0 ? this.#below : (below[offset + neighbour] ?? 0);
      }
      this.sliding[i] = this.#find();
    }
  }

  /** The row of the node that was written after the last; it stays there if it is new. */
  #find(): number {
    const { fold } = this;
    const rows = this.#rows;
    const candidate = this.count * fold;
    let hash = 0x811c9dc5;
    for (let j = 0; j < fold; j++) hash = Math.imul(hash ^ (rows[candidate + j] ?? 0), 0x9e3779b1);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) {
        this.#slots[slot] = ++this.count;
        return this.count - 1;
      }
      let j = 0;
      while (j < fold && rows[(found - 1) * fold + j] === rows[candidate + j]) j++;
      if (j === fold) return found - 1;
    }
  }

  /** Room for one more row, and slots at most half full. */
  #reserve(): void {
    if ((this.count + 1) * this.fold > this.#rows.length) {
      const rows = new Int32Array(Math.max(this.#rows.length, this.fold) * 2);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    if ((this.count + 1) * 2 <= this.#slots.length) return;
    const { count } = this;
    this.#slots = new Int32Array(this.#slots.length * 2);
    // Found again one by one: each is the last at its turn.
    for (this.count = 0; this.count < count; ) this.#find();
  }
}

/**
 * Finds the distinct nodes of the tree over many contexts, as input for `worker/onnx/sharedTree.ts`. Nodes over the same
 * characters are the same node, and then so are the nodes below them. So a node is identified by the rows of the nodes
 * that it joins, and each level is a set of such lists of rows.
 */
import { BOUNDARY } from "../data/vocabulary";

export class DistinctNodes {
  readonly #levels: readonly NodeTable[];
  readonly #contextLength: number;

  /** @param folds the fold of each level, from the characters up */
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

  /** Number of distinct contexts so far. */
  get contexts(): number {
    return this.#levels.at(-1)?.count ?? 0;
  }

  /** For each level, the number of distinct nodes and the rows that each joins, [nodes, fold]. */
  get nodes(): readonly { readonly count: number; readonly neighbours: Int32Array }[] {
    return this.#levels;
  }

  /**
   * Adds the contexts of the positions from `from` to `to` (included) of a word. `to` may be the boundary after the word.
   *
   * @param start start of the word in `tokens`
   * @param rows receives the row of each position's context, from index `at` on
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

/** The distinct nodes of a level, in an open-addressing hash table. */
class NodeTable {
  count = 0;
  /** Row of the node over boundaries only. */
  blank = 0;
  /** For each character of the current word, the row of the node that ends there. */
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

  /** Empties the table. @returns the row of the node over boundaries only, for the level above */
  clear(below: number): number {
    this.count = 0;
    this.#slots.fill(0);
    this.#below = below;
    this.#reserve();
    this.#rows.fill(below, 0, this.fold);
    this.blank = this.#find();
    return this.blank;
  }

  /** Finds the nodes that end at each of `length` characters, given the nodes below. Boundaries precede them. */
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

  /** Finds the node that was written after the last row. A new node stays there; for a known one, returns its row. */
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

  /** Makes room for one more row, and keeps the hash table at most half full. */
  #reserve(): void {
    if ((this.count + 1) * this.fold > this.#rows.length) {
      const rows = new Int32Array(Math.max(this.#rows.length, this.fold) * 2);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    if ((this.count + 1) * 2 <= this.#slots.length) return;
    const { count } = this;
    this.#slots = new Int32Array(this.#slots.length * 2);
    // Insert all nodes again, one by one.
    for (this.count = 0; this.count < count; ) this.#find();
  }
}

/**
 * Beginnings of words, as a tree: think of a name being sampled as a walk from the root, one
 * character down at a time. A node knows the logits of what comes next and what each level of the
 * model remembers of its character, so a step down is one row of the incremental graph, and what a
 * level remembered `delay` characters ago is at the ancestor `delay` up. Names with a common
 * beginning share its nodes, and later calls find them again: the first characters are looked up,
 * not computed.
 *
 * The root stands for boundaries all the way back: it is its own parent.
 */
import { BOUNDARY } from "../data/vocabulary";
import type { State } from "../onnx/incremental";
import type { Feed, GraphSession } from "./runtime";

/** Bytes for what nodes remember, about. */
const MEMORY = 32 << 20;

/** A graph that is run once a character, ready to run: `worker/onnx/incremental.ts`, or the window form. */
export interface StepSession {
  readonly session: GraphSession;
  readonly tokens: string;
  readonly width: number;
  readonly states: readonly State[];
  readonly vocabularySize: number;
}

export class Prefixes {
  /** The root: no character yet. */
  static readonly root = 0;

  readonly #graph: StepSession;
  readonly #capacity: number;
  readonly #parents: Int32Array;
  readonly #tokens: Int32Array;
  /** Row-major, a row a node; these and the memories grow with the nodes. */
  #logits: Float32Array;
  readonly #memories: Float32Array[];
  /** From node * vocabulary + character to the node below. */
  #children = new Map<number, number>();
  #count = 0;
  /** Nodes from here on are not computed yet. */
  #computed = 0;

  private constructor(graph: StepSession) {
    const { vocabularySize, states, width } = graph;
    this.#graph = graph;
    const bytes = 4 * states.reduce((sum, state) => sum + state.channels, vocabularySize + 8);
    this.reach = Math.max(width, ...states.map((state) => state.delay));
    this.#capacity = Math.max(4 * (this.reach + 2), Math.floor(MEMORY / bytes));
    this.#parents = new Int32Array(this.#capacity);
    this.#tokens = new Int32Array(this.#capacity);
    this.#logits = new Float32Array(vocabularySize);
    this.#memories = states.map((state) => new Float32Array(state.channels));
  }

  /** Opens the memory and computes the root. */
  static async create(graph: StepSession): Promise<Prefixes> {
    const prefixes = new Prefixes(graph);
    prefixes.#count = 1;
    // Boundaries all the way: each level's memory is right once that of the level below is.
    for (let i = 0; i <= graph.states.length; i++) {
      prefixes.#computed = 0;
      await prefixes.compute();
    }
    return prefixes;
  }

  /** Ancestors that a new node may look up. */
  readonly reach: number;

  /** Nodes that can be walked at once, so that there is always room for a step. */
  get walkers(): number {
    return Math.max(1, Math.min(1024, Math.floor(this.#capacity / (2 * (this.reach + 2))) - 1));
  }

  /** Where a node's logits begin in `logits`. */
  offset(node: number): number {
    return node * this.#graph.vocabularySize;
  }

  get logits(): Float32Array {
    return this.#logits;
  }

  /** Whether `steps` new nodes may not fit any more: then `keep` makes room. */
  isFull(steps: number): boolean {
    return this.#count + steps > this.#capacity;
  }

  /** The node one character below, which is computed with the next `compute` if it is new. */
  step(node: number, token: number): number {
    const key = node * this.#graph.vocabularySize + token;
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    const child = this.#count++;
    this.#parents[child] = node;
    this.#tokens[child] = token;
    this.#children.set(key, child);
    return child;
  }

  /** Computes all new nodes in one run. Their parents are computed already. */
  async compute(): Promise<void> {
    const first = this.#computed;
    const count = this.#count - first;
    if (count === 0) return;
    const { session, tokens, width, states } = this.#graph;
    const feeds: Record<string, Feed> = {
      [tokens]: { data: this.#recentTokens(first, count, width), dimensions: [count, width] },
    };
    for (const [i, { input, delay, channels }] of states.entries())
      feeds[input] = {
        data: this.#remembered(i, first, count, delay, channels),
        dimensions: [count, channels],
      };
    const outputs = await session.run(feeds);
    this.#logits = write(this.#logits, first * this.#graph.vocabularySize, outputs.logits);
    for (const [i, { output, channels }] of states.entries())
      this.#memories[i] = write(this.#memories[i], first * channels, outputs[output]);
    this.#computed = this.#count;
  }

  #recentTokens(first: number, count: number, width: number): Int32Array {
    const tokens = new Int32Array(count * width);
    for (let row = 0; row < count; row++) {
      let node = first + row;
      for (let i = width - 1; i >= 0; i--) {
        tokens[row * width + i] = this.#tokens[node] ?? BOUNDARY;
        node = this.#parents[node] ?? 0;
      }
    }
    return tokens;
  }

  #remembered(state: number, first: number, count: number, delay: number, channels: number): Float32Array {
    const memory = this.#memories[state] ?? new Float32Array(0);
    const values = new Float32Array(count * channels);
    for (let row = 0; row < count; row++) {
      let node = first + row;
      for (let i = 0; i < delay; i++) node = this.#parents[node] ?? 0;
      const from = node * channels;
      const to = row * channels;
      for (let c = 0; c < channels; c++) values[to + c] = memory[from + c] ?? 0;
    }
    return values;
  }

  /**
   * Forgets all nodes but the root, these, and the ancestors that steps down from them look up.
   *
   * @param nodes become the same nodes' new numbers
   */
  keep(nodes: Int32Array): void {
    const kept = new Uint8Array(this.#count);
    kept[Prefixes.root] = 1;
    for (let node of nodes)
      for (let i = 0; i <= this.reach; i++) {
        kept[node] = 1;
        node = this.#parents[node] ?? 0;
      }
    const { vocabularySize, states } = this.#graph;
    const moved = new Int32Array(this.#count);
    this.#children = new Map();
    let count = 0;
    for (let node = 0; node < this.#count; node++) {
      if (!kept[node]) continue;
      const parent = this.#parents[node] ?? 0;
      const token = this.#tokens[node] ?? 0;
      // A parent comes before its children. One that was forgotten is further up than any step looks.
      const newParent = kept[parent] ? (moved[parent] ?? 0) : Prefixes.root;
      moved[node] = count;
      this.#parents[count] = newParent;
      this.#tokens[count] = token;
      this.#logits.copyWithin(count * vocabularySize, node * vocabularySize, (node + 1) * vocabularySize);
      for (const [i, { channels }] of states.entries())
        this.#memories[i]?.copyWithin(count * channels, node * channels, (node + 1) * channels);
      if (kept[parent] && node !== Prefixes.root)
        this.#children.set(newParent * vocabularySize + token, count);
      count++;
    }
    this.#count = count;
    this.#computed = count;
    for (const [i, node] of nodes.entries()) nodes[i] = moved[node] ?? 0;
  }
}

/** `into` with `values` from `at` on; a larger copy where they do not fit. */
function write(into: Float32Array | undefined, at: number, values: Float32Array | undefined): Float32Array {
  if (!into || !values) throw new Error("The graph did not give all its outputs.");
  let target = into;
  if (at + values.length > target.length) {
    target = new Float32Array(Math.max(at + values.length, target.length * 2));
    target.set(into);
  }
  target.set(values, at);
  return target;
}

/**
 * A tree of prefixes (beginnings of words). Sampling a word is a walk from the root, one character down at a time. Each
 * node stores the logits of the next character and the model's state after its own character. So a step down is one row
 * in a run of the incremental graph, and the state of `delay` characters earlier is in the ancestor `delay` nodes up.
 * Words with the same beginning share nodes, also across calls: the first characters are looked up, not computed.
 *
 * The root stands for an endless row of boundaries, so it is its own parent. For a network that reads words, the root is
 * the boundary before the word, at position 0; such a network may also attend to all ancestors of a node. A group's token
 * is a child of the root that replaces this boundary, so it is at position 0, too.
 */
import { BOUNDARY } from "../data/vocabulary";
import type { Ancestry, Stepper } from "../onnx/incremental";
import type { Feed, GraphSession } from "./runtime";

/** Default memory for nodes, in bytes, approximately: enough for 1,000 walks of makemore's Transformer. */
const MEMORY = 40 << 20;

/** A loaded graph that runs once per character. */
export interface StepSession extends Omit<Stepper, "graph"> {
  readonly session: GraphSession;
  readonly vocabularySize: number;
  /** The first id of a group. */
  readonly firstGroup: number;
}

/** The result of one run of the graph: rows of consecutive nodes. */
interface Computed {
  readonly first: number;
  readonly logits: Float32Array;
  /** The values of each state, then of each memory of ancestors: see `Prefixes.#kept`. */
  readonly memories: readonly Float32Array[];
}

/** Means "no node" in lists of children, because the root is nobody's child. */
const NONE = 0;
/** Parent pointer of a node evicted from its parent's child list. */
const FORGOTTEN = -1;

export class Prefixes {
  /** The node of the empty prefix. */
  static readonly root = 0;

  readonly vocabularySize: number;
  /** See `StepSession`. */
  readonly firstGroup: number;
  /** How many levels up a new node may look. */
  readonly reach: number;
  readonly #graph: StepSession;
  /** The outputs, besides the logits, that are stored for each node. */
  readonly #kept: readonly { readonly output: string; readonly channels: number }[];
  readonly #capacity: number;
  readonly #parents: Int32Array;
  readonly #tokens: Int32Array;
  /** First child of each node; `#siblings` has the next child of the same parent. */
  readonly #children: Int32Array;
  readonly #siblings: Int32Array;
  /** The run that computed each node. New nodes, at the end, have none yet. */
  readonly #computed: Computed[] = [];
  /** Number of tokens before each node's own: its position in the word. */
  readonly #depths: Uint16Array;
  /** Input buffers for each of `#kept`, reused from run to run. */
  readonly #feeds: Float32Array[];
  /** Row of each node among the ancestors of the current run; otherwise -1. */
  readonly #rows: Int32Array;
  #count = 1;

  private constructor(graph: StepSession, memory: number) {
    const { vocabularySize, states, width, ancestry } = graph;
    this.#graph = graph;
    this.vocabularySize = vocabularySize;
    this.firstGroup = graph.firstGroup;
    this.reach = Math.max(width, ancestry?.longest ?? 0, ...states.map((state) => state.delay));
    this.#kept = [...states, ...(ancestry?.memories ?? [])];
    const numbers = this.#kept.reduce((sum, { channels }) => sum + channels, vocabularySize + 4);
    this.#capacity = Math.max(4 * (this.reach + 2), Math.floor(memory / (4 * numbers)));
    this.#feeds = this.#kept.map(() => new Float32Array(0));
    this.#depths = new Uint16Array(this.#capacity);
    this.#rows = new Int32Array(ancestry ? this.#capacity : 0).fill(-1);
    this.#parents = new Int32Array(this.#capacity);
    this.#tokens = new Int32Array(this.#capacity);
    this.#children = new Int32Array(this.#capacity);
    this.#siblings = new Int32Array(this.#capacity);
  }

  /**
   * Creates a tree and computes its root.
   *
   * @param memory memory for nodes, in bytes, approximately; at least as much as one walk needs is used
   */
  static async create(graph: StepSession, memory = MEMORY): Promise<Prefixes> {
    const prefixes = new Prefixes(graph, memory);
    const { vocabularySize, states, position } = graph;
    prefixes.#computed[Prefixes.root] = {
      first: 0,
      logits: new Float32Array(vocabularySize),
      memories: prefixes.#kept.map(({ channels }) => new Float32Array(channels)),
    };
    // The state after an endless row of boundaries: each run makes one more level right. Networks that read words have no
    // earlier state at position 0.
    const runs = position === undefined ? states.length + 1 : 1;
    for (let i = 0; i < runs; i++) prefixes.#computed[Prefixes.root] = await prefixes.#run(0, 1);
    return prefixes;
  }

  /** Most walks at once, so that there is always room for a step of all of them. */
  get walks(): number {
    return Math.max(1, Math.min(1024, Math.floor(this.#capacity / (this.reach + 2)) - 1));
  }

  /** Returns the logits for the token after a node, in `values` from `offset` on. */
  logits(node: number): { readonly values: Float32Array; readonly offset: number } {
    const { logits, first } = this.#at(node);
    return { values: logits, offset: (node - first) * this.#graph.vocabularySize };
  }

  /** Returns the child of a node for a token. A new child is computed by the next `compute`. */
  step(node: number, token: number): number {
    const tokens = this.#tokens;
    let child = this.#children[node] ?? NONE;
    while (child !== NONE && tokens[child] !== token) child = this.#siblings[child] ?? NONE;
    return child === NONE ? this.#add(node, token) : child;
  }

  /** Whether there may be no room for this many new nodes. `keep` makes room. */
  isFull(steps: number): boolean {
    return this.#count + steps > this.#capacity;
  }

  /** Computes all new nodes in one run. Their parents must be computed already. */
  async compute(): Promise<void> {
    const first = this.#computed.length;
    if (first === this.#count) return;
    const computed = await this.#run(first, this.#count);
    while (this.#computed.length < this.#count) this.#computed.push(computed);
  }

  /**
   * Evicts all nodes except the root, the given nodes, and the ancestors that their children will look up. All nodes must
   * be computed.
   *
   * @param nodes node numbers; they are updated in place, because nodes are renumbered
   */
  keep(nodes: Int32Array): void {
    const kept = new Uint8Array(this.#count);
    kept[Prefixes.root] = 1;
    for (let node of nodes)
      for (let i = 0; i <= this.reach; i++) {
        kept[node] = 1;
        node = this.#parent(node);
      }
    const { vocabularySize } = this.#graph;
    const total = kept.reduce((sum, one) => sum + one, 0);
    const computed: Computed = {
      first: 0,
      logits: new Float32Array(total * vocabularySize),
      memories: this.#kept.map(({ channels }) => new Float32Array(total * channels)),
    };
    const moved = new Int32Array(this.#count);
    const before = this.#count;
    this.#count = 0;
    this.#children.fill(NONE);
    for (let node = 0; node < before; node++) {
      if (!kept[node]) continue;
      const from = this.#at(node);
      copyRow(from.logits, node - from.first, computed.logits, this.#count, vocabularySize);
      for (const [i, { channels }] of this.#kept.entries())
        copyRow(from.memories[i], node - from.first, computed.memories[i], this.#count, channels);
      const parent = this.#parents[node] ?? FORGOTTEN;
      const token = this.#tokens[node] ?? BOUNDARY;
      moved[node] = this.#count;
      // A parent comes before its children, so it is moved already. An evicted parent is too far up to be looked up: its
      // child stays valid, but cannot be found from the root any more.
      if (node === Prefixes.root) this.#place(Prefixes.root, BOUNDARY, 0);
      else if (parent !== FORGOTTEN && kept[parent]) this.#add(moved[parent] ?? 0, token);
      else this.#place(FORGOTTEN, token, this.#depths[node]);
    }
    this.#computed.length = 0;
    while (this.#computed.length < this.#count) this.#computed.push(computed);
    for (const [i, node] of nodes.entries()) nodes[i] = moved[node] ?? 0;
  }

  #add(parent: number, token: number): number {
    const isStart = token >= this.#graph.firstGroup;
    const child = this.#place(parent, token, isStart ? 0 : undefined);
    this.#siblings[child] = this.#children[parent] ?? NONE;
    this.#children[parent] = child;
    return child;
  }

  #place(parent: number, token: number, depth = (this.#depths[parent] ?? 0) + 1): number {
    if (this.isFull(1)) throw new Error("There is no room for a node; keep() makes some.");
    const node = this.#count++;
    this.#parents[node] = parent;
    this.#tokens[node] = token;
    this.#depths[node] = depth;
    this.#children[node] = NONE;
    return node;
  }

  /** The parent, for look-ups. Nothing above an evicted parent is used, so the root will do. */
  #parent(node: number): number {
    return Math.max(this.#parents[node] ?? 0, Prefixes.root);
  }

  #at(node: number): Computed {
    const computed = this.#computed[node];
    if (!computed) throw new Error(`Node ${node} is not computed yet.`);
    return computed;
  }

  async #run(first: number, end: number): Promise<Computed> {
    const { session, tokens, width, states, position, ancestry, logits } = this.#graph;
    const count = end - first;
    const feeds: Record<string, Feed> = {
      [tokens]: { data: this.#recentTokens(first, end, width), dimensions: [count, width] },
    };
    for (const [i, { input, delay, channels }] of states.entries())
      feeds[input] = {
        data: this.#remembered(i, first, end, delay, channels),
        dimensions: [count, channels],
      };
    if (position !== undefined)
      feeds[position] = { data: Int32Array.from(this.#depths.subarray(first, end)), dimensions: [count] };
    if (ancestry) this.#feedAncestors(ancestry, first, end, feeds);
    const outputs = await session.run(feeds);
    const named = (name: string) => {
      const values = outputs[name];
      if (!values) throw new Error(`The graph has no output ${name}.`);
      return values;
    };
    return { first, logits: named(logits), memories: this.#kept.map(({ output }) => named(output)) };
  }

  /** Adds the inputs for attention: each distinct ancestor once, and the rows of each node's ancestors. */
  #feedAncestors(ancestry: Ancestry, first: number, end: number, feeds: Record<string, Feed>): void {
    const batch = end - first;
    const found: number[] = [];
    let time = 1;
    for (let node = first; node < end; node++) {
      let depth = this.#depths[node] ?? 0;
      time = Math.max(time, depth + 1);
      // The ancestors of a node that was found before were found with it.
      for (let above = node; depth > 0; depth--) {
        above = this.#parent(above);
        if (this.#rows[above] !== -1) break;
        this.#rows[above] = 0;
        found.push(above);
      }
    }
    // Sort, because consecutive nodes are copied together.
    const ancestors = Int32Array.from(found).sort();
    for (const [i, node] of ancestors.entries()) this.#rows[node] = batch + i;
    const rows = new Int32Array(batch * time);
    const mask = new Float32Array(batch * time);
    for (let row = 0; row < batch; row++) {
      let node = first + row;
      let place = (row + 1) * time - 1;
      rows[place] = row;
      for (let depth = this.#depths[node] ?? 0; depth > 0; depth--) {
        node = this.#parent(node);
        rows[--place] = this.#rows[node] ?? 0;
      }
      mask.fill(Number.NEGATIVE_INFINITY, row * time, place);
    }
    for (const node of ancestors) this.#rows[node] = -1;
    const { length } = this.#graph.states;
    for (const [i, { input, channels }] of ancestry.memories.entries())
      feeds[input] = {
        data: this.#gather(length + i, ancestors, channels),
        dimensions: [ancestors.length, channels],
      };
    feeds[ancestry.rows] = { data: rows, dimensions: [batch, time] };
    feeds[ancestry.mask] = { data: mask, dimensions: [batch, 1, time] };
  }

  /** Copies stored values of nodes, given in ascending order, to consecutive rows. */
  #gather(kept: number, nodes: Int32Array, channels: number): Float32Array {
    const values = this.#feed(kept, nodes.length * channels);
    for (let row = 0; row < nodes.length; ) {
      const node = nodes[row] ?? 0;
      const computed = this.#at(node);
      let rows = 1;
      while (nodes[row + rows] === node + rows && this.#computed[node + rows] === computed) rows++;
      const from = (node - computed.first) * channels;
      values.set(computed.memories[kept]?.subarray(from, from + rows * channels) ?? [], row * channels);
      row += rows;
    }
    return values;
  }

  /** Returns the input buffer of a state, grown if necessary. */
  #feed(state: number, length: number): Float32Array {
    let values = this.#feeds[state];
    if (!values || values.length < length) {
      values = new Float32Array(length);
      this.#feeds[state] = values;
    }
    return values.subarray(0, length);
  }

  #recentTokens(first: number, end: number, width: number): Int32Array {
    const recent = new Int32Array((end - first) * width);
    for (let row = 0; row < end - first; row++) {
      let node = first + row;
      for (let i = width - 1; i >= 0; i--) {
        recent[row * width + i] = this.#tokens[node] ?? BOUNDARY;
        node = this.#parent(node);
      }
    }
    return recent;
  }

  #remembered(state: number, first: number, end: number, delay: number, channels: number): Float32Array {
    const values = this.#feed(state, (end - first) * channels);
    for (let row = 0; row < end - first; row++) {
      let node = first + row;
      for (let i = 0; i < delay; i++) node = this.#parent(node);
      const at = this.#at(node);
      copyRow(at.memories[state], node - at.first, values, row, channels);
    }
    return values;
  }
}

function copyRow(
  from: Float32Array | undefined,
  fromRow: number,
  to: Float32Array | undefined,
  toRow: number,
  width: number,
): void {
  if (!from || !to) return;
  for (let i = 0; i < width; i++) to[toRow * width + i] = from[fromRow * width + i] ?? 0;
}

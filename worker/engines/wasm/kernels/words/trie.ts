/**
 * The words of a minibatch as a prefix tree. What a network makes of a place depends only on the characters up to
 * it, so each *node*, one prefix that words of the batch have in common, is computed once:
 *
 *     words     emma  ella  eve         nodes, level by level     0 | 0e | 0em 0el 0ev | 0emm 0ell 0eve | …
 *
 * If words have groups, there is a root for each group of the batch. It reads the group's token, which stands before
 * the word, as the other roots read the boundary.
 *
 * Nodes stand level by level in order of appearance, so parents come before their children, and the same batch
 * always gives the same sums. Before a layer reads earlier characters, a place depends only on its own character:
 * until then there is one row for each different *token*.
 *
 * Rows come in fours, as matmul.ts tiles them. A padding node is a root that reads a boundary and that no word
 * goes through, so its gradients are 0.
 */
import { allocate } from "../memory";

/** Rows of a value: one a token, or one a node. */
export const TOKENS: u32 = 0;

/** Distinguishes one use of a table from all before it, so that no table is ever cleared. */
let pass: u32 = 0;

export class Trie {
  /** Nodes and different tokens of this step, with padding. */
  nodes: i32 = 0;
  distinct: i32 = 0;
  /** Levels, and the first node of each and of the end, u32. */
  depth: i32 = 0;
  readonly levels: usize;
  /** Of each node: its parent (its own or 0 for roots), token and level, u32 [nodes]. */
  readonly parents: usize;
  readonly tokens: usize;
  readonly depths: usize;
  /** Of each node: its row among the different tokens, u32, and the places that share it, f32. */
  readonly tokenRows: usize;
  readonly shares: usize;
  /** Of each node, the position in the stream that its first place predicts, u32. */
  readonly positions: usize;
  /** Tokens that occur, u32, and the places that share each, f32. */
  readonly tokenOf: usize;
  readonly tokenShares: usize;
  /** Places of this step, and the node, target and target's position of each, u32. */
  places: i32 = 0;
  readonly at: usize;
  readonly targets: usize;
  readonly targetPositions: usize;
  /** Of each node, where its path from the root begins in `path`, u32; a path's length is its level + 1. */
  readonly paths: usize;
  readonly path: usize;
  /** Words that go on, and the node that each has reached, u32 [2, batch]. */
  private readonly words: usize;
  /** For each token: pass and row, u32 [2]. */
  private readonly seen: usize;
  /** Open-addressing table of children: pass and node, u32 [2], at most half full. */
  private readonly table: usize;
  private readonly tableMask: u32;

  constructor(
    /** Words in a minibatch. */
    readonly size: i32,
    /** Characters of a word at most. */
    longest: i32,
    vocabulary: i32,
    /** Whether each level is padded, for layers that go level by level. */
    readonly byLevel: bool,
    /** Whether a layer needs the paths from the root. */
    readonly hasPaths: bool,
  ) {
    const capacity = nodeCapacity(size, longest, byLevel);
    this.levels = allocate(longest + 2);
    this.parents = allocate(capacity);
    this.tokens = allocate(capacity);
    this.depths = allocate(capacity);
    this.tokenRows = allocate(capacity);
    this.shares = allocate(capacity);
    this.positions = allocate(capacity);
    this.tokenOf = allocate(vocabulary + 3);
    this.tokenShares = allocate(vocabulary + 3);
    const places = <u64>size * (longest + 1);
    this.at = allocate(places);
    this.targets = allocate(places);
    this.targetPositions = allocate(places);
    this.paths = allocate(capacity);
    this.path = allocate(hasPaths ? <u64>pathCapacity(size, longest) : 0);
    this.words = allocate(2 * <u64>size);
    this.seen = allocate(2 * <u64>vocabulary);
    this.tableMask = (2 << (32 - clz(capacity))) - 1;
    this.table = allocate(2 * (<u64>this.tableMask + 1));
  }

  /** Rows of a value. */
  rows(space: u32): i32 {
    return space == TOKENS ? this.distinct : this.nodes;
  }

  /** For each row, the places that share it. */
  sharesOf(space: u32): usize {
    return space == TOKENS ? this.tokenShares : this.shares;
  }

  levelStart(level: i32): i32 {
    return load<i32>(this.levels + ((<usize>level) << 2));
  }

  /** Reads the words that begin at `starts`, u32 [size], of a stream of u16. */
  build(starts: usize, stream: usize): void {
    const words = this.words, nodes = words + ((<usize>this.size) << 2);
    let left = this.size, depth = 0, count = 0, places = 0;
    pass++;
    this.distinct = 0;
    for (let word = 0; word < left; word++) store<u32>(words + ((<usize>word) << 2), load<u32>(starts + ((<usize>word) << 2)));
    while (left > 0) {
      store<u32>(this.levels + ((<usize>depth) << 2), count);
      let stay = 0;
      for (let word = 0; word < left; word++) {
        // The position of what this place is to predict.
        const position = load<u32>(words + ((<usize>word) << 2));
        const token: u32 = <u32>load<u16>(stream + ((<usize>position - 1) << 1));
        if (depth > 0 && token == 0) continue;
        const parent = depth == 0 ? 0 : load<u32>(nodes + ((<usize>word) << 2));
        const node = this.child(parent, token, depth, count);
        if (node == count) {
          store<u32>(this.positions + ((<usize>node) << 2), position);
          count++;
        }
        const share = this.shares + ((<usize>node) << 2), place = (<usize>places) << 2, to = (<usize>stay) << 2;
        places++;
        stay++;
        store<f32>(share, load<f32>(share) + 1);
        store<u32>(this.at + place, node);
        store<u32>(this.targets + place, <u32>load<u16>(stream + ((<usize>position) << 1)));
        store<u32>(this.targetPositions + place, position);
        store<u32>(words + to, position + 1);
        store<u32>(nodes + to, node);
      }
      left = stay;
      if (left == 0) break;
      if (this.byLevel) count = this.pad(count);
      depth++;
    }
    this.nodes = this.pad(count);
    this.depth = depth;
    this.places = places;
    store<u32>(this.levels + ((<usize>depth) << 2), this.nodes);
    this.shareTokens();
    if (this.hasPaths) this.findPaths();
  }

  /** The node that `token` leads to from `parent`; `next` if there is none yet, which it then is. */
  private child(parent: u32, token: u32, depth: i32, next: u32): u32 {
    const hash: u32 = (parent * 0x9e3779b1) ^ (token * 0x85ebca6b);
    let probe = (hash ^ (hash >> 15)) & this.tableMask;
    for (; load<u32>(this.table + ((<usize>probe) << 3)) == pass; probe = (probe + 1) & this.tableMask) {
      const node = load<u32>(this.table + ((<usize>probe) << 3), 4), at = (<usize>node) << 2;
      if (
        load<u32>(this.tokens + at) == token &&
        load<u32>(this.parents + at) == parent &&
        load<i32>(this.depths + at) == depth
      )
        return node;
    }
    store<u32>(this.table + ((<usize>probe) << 3), pass);
    store<u32>(this.table + ((<usize>probe) << 3), next, 4);
    this.add(next, parent, token, depth);
    return next;
  }

  private add(node: u32, parent: u32, token: u32, depth: i32): void {
    const at = (<usize>node) << 2, seen = this.seen + ((<usize>token) << 3);
    store<u32>(this.parents + at, parent);
    store<u32>(this.tokens + at, token);
    store<u32>(this.depths + at, depth);
    store<f32>(this.shares + at, 0);
    if (load<u32>(seen) != pass) {
      store<u32>(seen, pass);
      store<u32>(seen, this.distinct, 4);
      store<u32>(this.tokenOf + ((<usize>this.distinct) << 2), token);
      this.distinct++;
    }
    store<u32>(this.tokenRows + at, load<u32>(seen, 4));
  }

  /** Adds padding nodes; gives the new number of nodes. */
  private pad(count: i32): i32 {
    for (; count & 3; count++) this.add(count, 0, 0, 0);
    return count;
  }

  /** Counts the places of each token. */
  private shareTokens(): void {
    for (; this.distinct & 3; this.distinct++) store<u32>(this.tokenOf + ((<usize>this.distinct) << 2), 0);
    memory.fill(this.tokenShares, 0, (<usize>this.distinct) << 2);
    for (let at: usize = 0; at < (<usize>this.nodes) << 2; at += 4) {
      const share = this.tokenShares + ((<usize>load<u32>(this.tokenRows + at)) << 2);
      store<f32>(share, load<f32>(share) + load<f32>(this.shares + at));
    }
  }

  private findPaths(): void {
    let next = 0;
    for (let node: u32 = 0; node < <u32>this.nodes; node++) {
      const at = (<usize>node) << 2, depth = load<i32>(this.depths + at);
      const parent = (<usize>load<u32>(this.parents + at)) << 2;
      const path = this.path + ((<usize>next) << 2);
      if (depth > 0)
        memory.copy(path, this.path + ((<usize>load<u32>(this.paths + parent)) << 2), (<usize>depth) << 2);
      store<u32>(path + ((<usize>depth) << 2), node);
      store<u32>(this.paths + at, next);
      next += (depth + 4) & ~3;
    }
  }
}

/** Nodes of a minibatch at most. */
export function nodeCapacity(size: i32, longest: i32, byLevel: bool): i32 {
  return ((size * longest + 4) & ~3) + (byLevel ? 4 * (longest + 1) : 0);
}

/** Numbers of all paths at most: each a multiple of four, padding nodes included. */
export function pathCapacity(size: i32, longest: i32): f64 {
  let numbers: u64 = 16 * (<u64>longest + 2);
  for (let depth = 0; depth <= longest; depth++) numbers += <u64>size * ((depth + 4) & ~3);
  return <f64>numbers;
}

/** Set by `begin`, before anything reads it. */
export let trie: Trie = changetype<Trie>(0);

export function plant(made: Trie): void {
  trie = made;
}

/**
 * The words of a minibatch as a prefix tree. A network's output at a place depends only on the characters up to
 * it, so words with a common prefix share that prefix's *node*, which is computed once:
 *
 *     words     emma  ella  eve         nodes, level by level     0 | 0e | 0em 0el 0ev | 0emm 0ell 0eve | …
 *
 * If words have groups, each group in the batch has a root. It reads the group's token, which comes before the word,
 * instead of the boundary.
 *
 * Nodes are sorted by level, then by order of appearance, so parents come before their children, and the same batch
 * always gives the same sums. Layers that do not mix places need only one row per distinct *token*, until the first
 * layer that reads earlier characters.
 *
 * Rows are padded to a multiple of 4 for matmul.ts. A padding node is a root that reads a boundary. No word uses it,
 * so its gradients are 0.
 */
import { allocate } from "../memory";

/** What a value has a row for: each distinct token, or each node. */
export const TOKENS: u32 = 0;

/** Number of the current pass over a table; entries of earlier passes are stale, so no table is cleared. */
let pass: u32 = 0;

export class Trie {
  /** Number of nodes and of distinct tokens in this step, with padding. */
  nodes: i32 = 0;
  distinct: i32 = 0;
  /** Number of levels, and the first node of each level, then the end, u32. */
  depth: i32 = 0;
  readonly levels: usize;
  /** Parent (for a root, itself or 0), token and level of each node, u32 [nodes]. */
  readonly parents: usize;
  readonly tokens: usize;
  readonly depths: usize;
  /** Each node's row among the distinct tokens, u32, and the number of places that share the node, f32. */
  readonly tokenRows: usize;
  readonly shares: usize;
  /** Stream position that each node's first place predicts, u32. */
  readonly positions: usize;
  /** Distinct tokens, u32, and the number of places that share each, f32. */
  readonly tokenOf: usize;
  readonly tokenShares: usize;
  /** Number of places in this step, and the node, target and target's position of each, u32. */
  places: i32 = 0;
  readonly at: usize;
  readonly targets: usize;
  readonly targetPositions: usize;
  /** Start of each node's path from the root, as an index into `path`, u32. A path's length is the level + 1. */
  readonly paths: usize;
  readonly path: usize;
  /** Words that have not ended, and the node that each has reached, u32 [2, batch]. */
  private readonly words: usize;
  /** For each token: pass and row, u32 [2]. */
  private readonly seen: usize;
  /** Hash table of children (open addressing): pass and node, u32 [2], at most half full. */
  private readonly table: usize;
  private readonly tableMask: u32;

  constructor(
    /** Words per minibatch. */
    readonly size: i32,
    /** Characters of the longest word. */
    longest: i32,
    vocabulary: i32,
    /** Whether to pad each level, for layers that go level by level. */
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

  /** Number of rows of a value. */
  rows(space: u32): i32 {
    return space == TOKENS ? this.distinct : this.nodes;
  }

  /** Address of the number of places that share each row. */
  sharesOf(space: u32): usize {
    return space == TOKENS ? this.tokenShares : this.shares;
  }

  levelStart(level: i32): i32 {
    return load<i32>(this.levels + ((<usize>level) << 2));
  }

  /** Builds the trie of the words that begin at `starts`, u32 [size], in a stream of u16. */
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
        // Position of the token that this place predicts.
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

  /** Returns the child of `parent` for `token`; if there is none yet, stores `next` as the child and returns it. */
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

  /** Adds padding nodes and returns the new number of nodes. */
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

/** Maximum number of nodes in a minibatch. */
export function nodeCapacity(size: i32, longest: i32, byLevel: bool): i32 {
  return ((size * longest + 4) & ~3) + (byLevel ? 4 * (longest + 1) : 0);
}

/** Maximum total length of all paths, each padded to a multiple of four, padding nodes included. */
export function pathCapacity(size: i32, longest: i32): f64 {
  let numbers: u64 = 16 * (<u64>longest + 2);
  for (let depth = 0; depth <= longest; depth++) numbers += <u64>size * ((depth + 4) & ~3);
  return <f64>numbers;
}

/** Placeholder; `begin` sets it before anything reads it. */
export let trie: Trie = changetype<Trie>(0);

export function plant(made: Trie): void {
  trie = made;
}

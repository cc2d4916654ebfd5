/**
 * Code shared by the recurrent cells. A cell goes down the trie level by level, with one matrix product per level.
 * The product of x is a Linear before the cell, often with one row per token. Its sums are in `input`, and `gates`
 * adds the product of h to them. Going backward, the gradient of these sums overwrites `gates`.
 */
import { learnVector } from "./linear";
import { gather, scatter } from "./gather";
import { trie } from "./trie";

@unmanaged
export class Cell {
  code: u32;
  /** Sums of x per token, and their gradient; 0 if they are in `gates` already. */
  input: usize;
  inputGradient: usize;
  gates: usize;
  h: usize;
  /** Gradient of h including that from later characters, and gradient from the next layer alone. */
  dh: usize;
  dy: usize;
  /** Channels of h, and of all gates together. */
  width: i32;
  gateWidth: i32;
  /** h before the first character, f32 [width]. */
  start: usize;
  /** h of each node's parent, and the gradient of this h. */
  before: usize;
  beforeGradient: usize;
  /** Weights [width, gates], part of a tensor of `bytes`, and their transposed copy. */
  weight: usize;
  bytes: usize;
  transposed: usize;
  /** GRU: weight of the candidate, its transposed copy, r h and its gradient. LSTM: c, tanh(c), the gradient of c. */
  a: usize;
  b: usize;
  c: usize;
  d: usize;

  /** Starts the backward pass. */
  startBackward(): void {
    memory.copy(this.dh, this.dy, (<usize>(trie.nodes * this.width)) << 2);
  }

  /** Fills `before` and starts the gates of the nodes from `first` to `end`. */
  enter(level: i32, first: i32, end: i32): void {
    const stride = (<usize>trie.nodes) << 4;
    if (level > 0) gather(this.before, stride, this.h, stride, trie.parents, first, end, this.width >> 2);
    else
      for (let c: usize = 0, to = this.before; c < (<usize>this.width) << 2; c += 16, to += stride)
        for (let r: usize = 0; r < (<usize>end) << 4; r += 16) v128.store(to + r, v128.load(this.start + c));
    if (this.input)
      gather(
        this.gates, stride, this.input, (<usize>trie.distinct) << 4,
        trie.tokenRows, first, end, this.gateWidth >> 2,
      );
  }

  /** Adds the gradient of `before` to the parents. */
  leave(level: i32, first: i32, end: i32): void {
    const stride = (<usize>trie.nodes) << 4;
    if (level > 0) scatter(this.dh, stride, this.beforeGradient, stride, trie.parents, first, end, this.width >> 2);
    else learnVector(this.start, this.beforeGradient, end, stride, this.width);
  }

  /** Passes the gradient of the gates' sums on to `input`. */
  giveInput(): void {
    if (!this.input) return;
    const stride = (<usize>trie.nodes) << 4;
    memory.fill(this.inputGradient, 0, (<usize>(trie.distinct * this.gateWidth)) << 2);
    scatter(
      this.inputGradient, (<usize>trie.distinct) << 4, this.gates, stride,
      trie.tokenRows, 0, trie.nodes, this.gateWidth >> 2,
    );
  }
}

/** y = x @ W + b over the rows of a value. Layouts as in matmul.ts. */
import { learn, transpose } from "../learn";
import { addMatmul } from "../matmul";
import { descend } from "../optimizer";
import { trie } from "./trie";

@unmanaged
export class Linear {
  code: u32;
  space: u32;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  fanIn: i32;
  fanOut: i32;
  /** [fanOut / 8][fanIn][8], part of a tensor of `bytes`, and its transposed copy [fanIn / 8][fanOut][8]. */
  weight: usize;
  bytes: usize;
  transposed: usize;
  /** Points to zeros if the layer has no bias. */
  bias: usize;
  biased: u32;
  zeros: usize;

  forward(): void {
    const rows = trie.rows(this.space);
    addMatmul(this.y, this.x, this.weight, rows, (<usize>rows) << 4, this.fanIn, this.fanOut, this.bias, 32);
  }

  backward(): void {
    const rows = trie.rows(this.space);
    addMatmul(this.dx, this.dy, this.transposed, rows, (<usize>rows) << 4, this.fanOut, this.fanIn, this.zeros, 0);
    if (this.biased) learnVector(this.bias, this.dy, rows, (<usize>rows) << 4, this.fanOut);
    learn(this.weight, this.bytes, this.transposed, this.x, this.dy, rows, this.fanIn, this.fanOut);
  }

  refresh(): void {
    transpose(this.weight, this.transposed, this.fanIn, this.fanOut);
  }
}

/** Trains a vector that was added to each of `rows` rows; a group of their gradients takes `stride` bytes. */
export function learnVector(p: usize, d: usize, rows: i32, stride: usize, width: i32): void {
  const bytes = (<usize>width) << 2;
  for (let c: usize = 0; c < bytes; c += 16, d += stride) {
    let gradient = f32x4.splat(0);
    for (let from = d, end = d + ((<usize>rows) << 4); from < end; from += 16)
      gradient = f32x4.add(gradient, v128.load(from));
    descend(p + c, bytes, gradient);
  }
}

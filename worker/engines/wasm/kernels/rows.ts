/**
 * Rows of a step: the distinct inputs of one level of the tree in a minibatch, and the row of each
 * place in the minibatch. index.ts says why.
 *
 * Values are in groups of four channels, [channels / 4][rows][4], so that a vector is four
 * channels of one row and a reduction over rows needs no shuffles. Only the embedding is
 * [rows][channels]. The two strides tell the layouts apart.
 */
import { allocate } from "./memory";

export class Rows {
  /** Number of distinct rows in this step; for an Embedding, always the vocabulary's size. */
  count: i32 = 0;
  /** Bytes from one row to the next, and from four channels to the next four. */
  rowStride: usize = 16;
  groupStride: usize = 0;
  /** Row of each place, u32 [positions, batch]. */
  readonly at: usize;
  /** The values, and the gradient of the loss with respect to them. */
  readonly values: usize;
  readonly gradient: usize;
  /** Scratch memory of `numberRows`: the pass that last saw each row, and the row's number in it. */
  readonly seen: usize;

  constructor(
    /** Places in a minibatch; also the maximum number of rows. */
    readonly places: i32,
    readonly capacity: i32,
    /** Channels, padded to a multiple of 8. */
    readonly width: i32,
    values: usize,
  ) {
    this.at = allocate(places);
    this.seen = allocate(2 * <u64>capacity);
    this.values = values;
    this.gradient = allocate(<u64>capacity * width);
  }

  /** Sets the number of rows of this step; the groups of channels then follow each other without gaps. */
  resize(count: i32): void {
    this.count = count;
    this.groupStride = (<usize>count) << 4;
  }
}

/**
 * out[i] = rows[ids[i]] for `count` ids. `out` is in groups, `stride` bytes apart, padded with zero rows.
 *
 * These four functions process two groups of channels together. They then read each id half as often, and additions
 * to the same row, which wait for each other, overlap.
 */
export function take(out: usize, stride: usize, rows: Rows, ids: usize, count: i32): void {
  const rowStride = rows.rowStride, group = rows.groupStride;
  const end = ids + ((<usize>count) << 2);
  let from = rows.values;
  for (let groups = rows.width >> 2; groups > 0; groups -= 2) {
    let to = out;
    for (let id = ids; id < end; id += 4, to += 16) {
      const row = from + <usize>load<u32>(id) * rowStride;
      v128.store(to, v128.load(row));
      v128.store(to + stride, v128.load(row + group));
    }
    out += stride;
    for (; to < out; to += 16) {
      v128.store(to, f32x4.splat(0));
      v128.store(to + stride, f32x4.splat(0));
    }
    out += stride;
    from += group << 1;
  }
}

/** gradient[ids[i]] += from[i]: the backward pass of `take`. No id occurs twice. */
export function giveBack(rows: Rows, ids: usize, count: i32, from: usize, stride: usize): void {
  const rowStride = rows.rowStride, group = rows.groupStride;
  const end = ids + ((<usize>count) << 2);
  let to = rows.gradient;
  for (let groups = rows.width >> 2; groups > 0; groups -= 2) {
    let source = from;
    for (let id = ids; id < end; id += 4, source += 16) {
      const row = to + <usize>load<u32>(id) * rowStride;
      v128.store(row, f32x4.add(v128.load(row), v128.load(source)));
      v128.store(row + group, f32x4.add(v128.load(row + group), v128.load(source + stride)));
    }
    from += stride << 1;
    to += group << 1;
  }
}

/** rows[i] += parts[ids[i]]: a row of a level is the sum of its neighbours' products. */
export function addParts(rows: Rows, ids: usize, parts: usize, stride: usize): void {
  const group = rows.groupStride, end = ids + ((<usize>rows.count) << 2);
  let to = rows.values;
  for (let groups = rows.width >> 2; groups > 0; groups -= 2) {
    for (let id = ids; id < end; id += 4, to += 16) {
      const part = parts + ((<usize>load<u32>(id)) << 4);
      v128.store(to, f32x4.add(v128.load(to), v128.load(part)));
      v128.store(to + group, f32x4.add(v128.load(to + group), v128.load(part + stride)));
    }
    to += group;
    parts += stride << 1;
  }
}

/** parts[ids[i]] = the sum of gradient[i]: the backward pass of `addParts`. */
export function sumParts(rows: Rows, ids: usize, parts: usize, stride: usize): void {
  const group = rows.groupStride, end = ids + ((<usize>rows.count) << 2);
  let from = rows.gradient;
  memory.fill(parts, 0, stride * <usize>(rows.width >> 2));
  for (let groups = rows.width >> 2; groups > 0; groups -= 2) {
    for (let id = ids; id < end; id += 4, from += 16) {
      const part = parts + ((<usize>load<u32>(id)) << 4);
      v128.store(part, f32x4.add(v128.load(part), v128.load(from)));
      v128.store(part + stride, f32x4.add(v128.load(part + stride), v128.load(from + group)));
    }
    from += group;
    parts += stride << 1;
  }
}

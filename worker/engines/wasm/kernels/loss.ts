/**
 * Mean cross entropy of the logits, and its gradient. Contexts that occur more than once are one
 * row of logits with several targets: the softmax counts as often as the row is shared.
 */
import { Batch } from "./batch";
import { Rows } from "./rows";
import { exp, largest, sum } from "./simd";

/** @param logNormalizers scratch, f32 [rows.capacity] */
export function crossEntropy(rows: Rows, shares: usize, vocabulary: i32, batch: Batch, logNormalizers: usize): f32 {
  const stride = rows.groupStride, share = <f32>1 / <f32>batch.size;
  for (let row: usize = 0; row < <usize>rows.count; row++) {
    const offset = row << 4;
    let top = f32x4.splat(-f32.MAX_VALUE);
    for (let c = 0, z = rows.values + offset; c < vocabulary; c += 4, z += stride)
      top = f32x4.max(top, v128.bitselect(v128.load(z), top, inside(c, vocabulary)));
    const max = largest(top);
    let total = f32x4.splat(0);
    for (let c = 0, z = rows.values + offset, d = rows.gradient + offset; c < vocabulary; c += 4, z += stride, d += stride) {
      const e = v128.and(exp(f32x4.sub(v128.load(z), f32x4.splat(max))), inside(c, vocabulary));
      total = f32x4.add(total, e);
      v128.store(d, e);
    }
    const normalizer = sum(total);
    store<f32>(logNormalizers + (row << 2), Mathf.log(normalizer) + max);
    const scale = f32x4.splat(load<f32>(shares + (row << 2)) * share / normalizer);
    let d = rows.gradient + offset;
    for (let c = 0; c < vocabulary; c += 4, d += stride) v128.store(d, f32x4.mul(v128.load(d), scale));
    if (vocabulary <= rows.width - 4) v128.store(d, f32x4.splat(0));
  }
  let loss: f64 = 0;
  for (let i: usize = 0; i < <usize>batch.size; i++) {
    const row = <usize>load<u32>(rows.at + (i << 2)), target = <usize>load<u32>(batch.targets + (i << 2));
    const at = (target >> 2) * stride + (row << 4) + ((target & 3) << 2);
    loss += load<f32>(logNormalizers + (row << 2)) - load<f32>(rows.values + at);
    store<f32>(rows.gradient + at, load<f32>(rows.gradient + at) - share);
  }
  return <f32>(loss / <f64>batch.size);
}

/** Which of the channels c to c + 3 are logits and not padding. */
// @ts-expect-error: decorator
@inline
function inside(c: i32, vocabulary: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(vocabulary - c));
}

/**
 * Mean cross entropy of the logits against the targets, and its gradient. Equal contexts are one row of
 * logits, and its softmax counts as often as places share the row. So does a soft target, because it
 * belongs to the context. Hard targets are one per place of the minibatch.
 */
import { Batch } from "./batch";
import { allocate, padTo8 } from "./memory";
import { Rows } from "./rows";
import { exp, fma, fnma, largest, sum } from "./simd";

/** The distribution of the next token for each context; see worker/data/contexts.ts. */
export class SoftTargets {
  /** Context id of each row of logits, u32 [rows]. */
  readonly rowContexts: usize;

  constructor(
    /** Position and first pair of each context, u32 [contexts + 1, 2]. */
    readonly contexts: usize,
    /** Token (u32) and its share (f32), [pairs, 2]. */
    readonly pairs: usize,
    /** The teacher's probabilities, f32 [contexts, padTo8(vocabulary)]; 0 if there is none. */
    readonly teacher: usize,
    batchSize: i32,
  ) {
    this.rowContexts = allocate(batchSize);
  }
}

/**
 * Writes the softmax of each row to the gradient of its logits; the targets are subtracted later.
 *
 * @param places number of places of the minibatch; the loss is their mean
 * @param logNormalizers output, f32 [rows]
 */
export function softmax(rows: Rows, shares: usize, vocabulary: i32, places: i32, logNormalizers: usize): void {
  const stride = rows.groupStride, share = <f32>1 / <f32>places;
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
}

/**
 * Subtracts the targets of all places from the gradient and returns the mean loss.
 *
 * @param at row of logits of each place, u32 [places]
 * @param targets target token of each place, u32 [places]
 */
export function subtractHard(rows: Rows, at: usize, targets: usize, places: i32, logNormalizers: usize): f32 {
  const stride = rows.groupStride, share = <f32>1 / <f32>places;
  let loss: f64 = 0;
  for (let i: usize = 0; i < <usize>places; i++) {
    const row = <usize>load<u32>(at + (i << 2)), target = <usize>load<u32>(targets + (i << 2));
    const logit = (target >> 2) * stride + (row << 4) + ((target & 3) << 2);
    loss += load<f32>(logNormalizers + (row << 2)) - load<f32>(rows.values + logit);
    store<f32>(rows.gradient + logit, load<f32>(rows.gradient + logit) - share);
  }
  return <f32>(loss / <f64>places);
}

/**
 * Subtracts the target of each row from the gradient and returns the mean loss.
 *
 * @param weight of the teacher, 0 to 1
 */
export function subtractSoft(
  rows: Rows, shares: usize, vocabulary: i32, batch: Batch, soft: SoftTargets, weight: f32, logNormalizers: usize,
): f32 {
  const stride = rows.groupStride, keep = <f32>1 - weight;
  for (let i: usize = 0; i < (<usize>batch.size) << 2; i += 4)
    store<u32>(soft.rowContexts + ((<usize>load<u32>(rows.at + i)) << 2), load<u32>(batch.targets + i));
  let loss: f64 = 0;
  for (let row: usize = 0; row < <usize>rows.count; row++) {
    const context = <usize>load<u32>(soft.rowContexts + (row << 2)), entry = soft.contexts + (context << 3);
    const count = load<f32>(shares + (row << 2)), scale = count / <f32>batch.size;
    const z = rows.values + (row << 4), d = rows.gradient + (row << 4);
    let rest: f32 = 1, expected: f32 = 0;
    const end = soft.pairs + ((<usize>load<u32>(entry, 12)) << 3);
    for (let pair = soft.pairs + ((<usize>load<u32>(entry, 4)) << 3); pair < end; pair += 8) {
      const token = <usize>load<u32>(pair), share = load<f32>(pair, 4);
      const at = (token >> 2) * stride + ((token & 3) << 2);
      expected += share * load<f32>(z + at);
      store<f32>(d + at, load<f32>(d + at) - scale * keep * share);
      rest -= share;
    }
    const token = <usize>load<u16>(batch.stream + ((<usize>load<u32>(entry)) << 1));
    const at = (token >> 2) * stride + ((token & 3) << 2);
    expected = keep * (expected + rest * load<f32>(z + at));
    store<f32>(d + at, load<f32>(d + at) - scale * keep * rest);
    if (weight > 0) expected += weight * subtractTaught(z, d, stride, soft.teacher, context, vocabulary, scale * weight);
    loss += count * (load<f32>(logNormalizers + (row << 2)) - expected);
  }
  return <f32>(loss / <f64>batch.size);
}

/**
 * Subtracts the teacher's probabilities for a context from the gradient of a row, and returns the mean logit
 * under these probabilities.
 *
 * @param z the row's logits
 * @param d gradient of the logits
 * @param scale factor of the subtracted probabilities
 */
export function subtractTaught(
  z: usize, d: usize, stride: usize, teacher: usize, context: usize, vocabulary: i32, scale: f32,
): f32 {
  const change = f32x4.splat(scale);
  let taught = f32x4.splat(0), from = teacher + ((context * <usize>padTo8(vocabulary)) << 2), at: usize = 0;
  for (let c = 0; c < vocabulary; c += 4, at += stride, from += 16) {
    const t = v128.load(from);
    taught = fma(t, v128.load(z + at), taught);
    v128.store(d + at, fnma(t, change, v128.load(d + at)));
  }
  return sum(taught);
}

/** Mask of the channels c to c + 3 that are logits, not padding. */
// @ts-expect-error: decorator
@inline
export function inside(c: i32, vocabulary: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(vocabulary - c));
}

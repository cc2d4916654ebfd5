/**
 * One optimiser step, four parameters at a time, with the formulas of worker/optimizers. A tensor's
 * state follows the tensor in memory: a tensor of `bytes` at p has AdamW's m at
 * p + bytes and v at p + 2 bytes.
 */

import { allocate } from "./memory";
import { fma, fnma } from "./simd";

const SGD = 0;
const ADAMW = 1;
let rule = SGD;
/** rate, root, keep, epsilon, beta1, 1 - beta1, beta2, 1 - beta2. */
const factors = memory.data(32, 16);

export function useSGD(): void {
  rule = SGD;
}

export function useAdamW(beta1: f64, beta2: f64, epsilon: f32): void {
  rule = ADAMW;
  store<f32>(factors, epsilon, 12);
  store<f32>(factors, <f32>beta1, 16);
  store<f32>(factors, <f32>(1 - beta1), 20);
  store<f32>(factors, <f32>beta2, 24);
  store<f32>(factors, <f32>(1 - beta2), 28);
}

/** Loads the factors of a step: rate, root, keep. */
export function setFactors(at: usize): void {
  memory.copy(factors, at, 12);
}

/** Allocates a tensor of `count` numbers and its state. */
export function allocateParameter(count: u64): usize {
  return allocate(rule == ADAMW ? 3 * count : count);
}

/** Updates the four parameters at p from their gradient, and returns the new values. */
// @ts-expect-error: decorator
@inline
export function descend(p: usize, bytes: usize, gradient: v128): v128 {
  let value = v128.load(p);
  if (rule == ADAMW) {
    const m = fma(gradient, v128.load32_splat(factors, 20), f32x4.mul(v128.load(p + bytes), v128.load32_splat(factors, 16)));
    const v = fma(
      f32x4.mul(gradient, gradient),
      v128.load32_splat(factors, 28),
      f32x4.mul(v128.load(p + 2 * bytes), v128.load32_splat(factors, 24)),
    );
    v128.store(p + bytes, m);
    v128.store(p + 2 * bytes, v);
    const scale = fma(v128.load32_splat(factors, 4), f32x4.sqrt(v), v128.load32_splat(factors, 12));
    const change = f32x4.div(f32x4.mul(m, v128.load32_splat(factors, 0)), scale);
    value = f32x4.sub(f32x4.mul(value, v128.load32_splat(factors, 8)), change);
  } else {
    value = fnma(gradient, v128.load32_splat(factors), value);
  }
  v128.store(p, value);
  return value;
}

/** Updates a whole tensor from a gradient in memory. */
export function descendAll(p: usize, bytes: usize, gradient: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) descend(p + i, bytes, v128.load(gradient + i));
}

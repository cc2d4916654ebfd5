/** Arithmetic on four float32 at a time, used by all kernels. */

/** a * b + c; rounds once if the relaxed build runs on hardware with fused multiply-add. */
// @ts-expect-error: decorator
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b. */
// @ts-expect-error: decorator
@inline
export function fnma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** The sum of the four. */
// @ts-expect-error: decorator
@inline
export function sum(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** The largest of the four. */
// @ts-expect-error: decorator
@inline
export function largest(v: v128): f32 {
  const pairs = f32x4.max(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.max(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** Limits x to low to high; keeps NaN. One instruction per bound, while `f32x4.min` and `max` need about seven. */
// @ts-expect-error: decorator
@inline
function clamp(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmax(f32x4.pmin(x, high), low);
}

/**
 * The constants of `exp` and `tanh`. They are loaded from memory, because a browser builds a vector
 * literal from integer registers each time: four instructions instead of one load.
 */
const CONSTANTS = memory.data<f32>([
  88, -87, 1.44269504088896341, 12582912, 0.693359375, -2.1219444e-4,
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, -1,
  1.34198274571e-8, 2.06612664952e-5, 3.49899631968e-3, 1.33839804792e-1,
  7.80473160954e-7, 3.29103876568e-4, 2.58902073091e-2, 4.67173019614e-1, 100,
], 16);
const HIGHEST: usize = 0, LOWEST: usize = 4, LOG2_E: usize = 8, ROUNDER: usize = 12, LN2_HIGH: usize = 16, LN2_LOW: usize = 20;
const POLYNOMIAL: usize = 24, ONE: usize = 48, MINUS_ONE: usize = 52;
const NUMERATOR: usize = 56, DENOMINATOR: usize = 72, LARGEST_SQUARE: usize = 88;

// @ts-expect-error: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

/**
 * e^x, with x clamped to [-87, 88]: computed as 2^n e^r with n whole and |r| <= ln(2) / 2. e^r is the
 * polynomial of Cephes' `expf` (S. L. Moshier), accurate to 2 units in the last place.
 */
// @ts-expect-error: decorator
@inline
export function exp(x: v128): v128 {
  x = clamp(x, constant(LOWEST), constant(HIGHEST));
  // Adding 1.5 * 2^23 rounds to a whole number, whose bits are then the low bits of the sum.
  const shifted = fma(x, constant(LOG2_E), constant(ROUNDER));
  const n = f32x4.sub(shifted, constant(ROUNDER));
  // ln(2) in two parts, so that n ln(2) can be subtracted exactly enough.
  const r = fnma(n, constant(LN2_LOW), fnma(n, constant(LN2_HIGH), x));
  let p = fma(constant(POLYNOMIAL), r, constant(POLYNOMIAL + 4));
  p = fma(p, r, constant(POLYNOMIAL + 8));
  p = fma(p, r, constant(POLYNOMIAL + 12));
  p = fma(p, r, constant(POLYNOMIAL + 16));
  p = fma(p, r, constant(POLYNOMIAL + 20));
  p = f32x4.add(fma(p, f32x4.mul(r, r), r), constant(ONE));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), constant(ONE)));
}

/**
 * tanh(x), within 6.5 units in the last place and 3.9e-7; exactly 1 or -1 for large |x|. It is x P(x^2) / Q(x^2), the
 * quotient of polynomials with the smallest relative error up to |x| = 9, found with the Remez algorithm for
 * P(0) = Q(0) = 1. Its error is 2.2e-8; the rest is rounding. From 9 on it is at least 1.
 */
// @ts-expect-error: decorator
@inline
export function tanh(x: v128): v128 {
  // Limited, so that the polynomials of a large x stay finite.
  const square = f32x4.pmin(f32x4.mul(x, x), constant(LARGEST_SQUARE));
  let p = fma(constant(NUMERATOR), square, constant(NUMERATOR + 4));
  let q = fma(constant(DENOMINATOR), square, constant(DENOMINATOR + 4));
  p = fma(p, square, constant(NUMERATOR + 8));
  q = fma(q, square, constant(DENOMINATOR + 8));
  p = fma(p, square, constant(NUMERATOR + 12));
  q = fma(q, square, constant(DENOMINATOR + 12));
  p = fma(p, square, constant(ONE));
  q = fma(q, square, constant(ONE));
  return clamp(f32x4.div(f32x4.mul(x, p), q), constant(MINUS_ONE), constant(ONE));
}

/** 1 / (1 + e^-x), within 1.2e-7. */
// @ts-expect-error: decorator
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(constant(ONE), f32x4.add(constant(ONE), exp(f32x4.neg(x))));
}

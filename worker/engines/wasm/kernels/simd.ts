/** Four float32 at a time: what every kernel is written in. */

/** a * b + c; one rounding where the relaxed build runs on hardware with fused multiply-add. */
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

/**
 * e^x for x in [-87, 88], clamped there: 2^n e^r with n whole and |r| <= ln(2) / 2, and for e^r
 * the polynomial of Cephes' `expf` (S. L. Moshier), good to 2 units in the last place.
 */
// @ts-expect-error: decorator
@inline
export function exp(x: v128): v128 {
  x = f32x4.max(f32x4.min(x, f32x4.splat(88)), f32x4.splat(-87));
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
  const shifted = fma(x, f32x4.splat(1.44269504088896341), f32x4.splat(12582912));
  const n = f32x4.sub(shifted, f32x4.splat(12582912));
  // ln(2) in two parts, so that n ln(2) is exact enough to subtract.
  const r = fnma(n, f32x4.splat(-2.12194440e-4), fnma(n, f32x4.splat(0.693359375), x));
  let p = fma(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  p = fma(p, r, f32x4.splat(8.3334519073e-3));
  p = fma(p, r, f32x4.splat(4.1665795894e-2));
  p = fma(p, r, f32x4.splat(1.6666665459e-1));
  p = fma(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(fma(p, f32x4.mul(r, r), r), f32x4.splat(1));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), f32x4.splat(1)));
}

/** tanh(x) = 1 - 2 / (e^2x + 1): within 1.2e-7, and 1 or -1 where float32 has nothing nearer. */
// @ts-expect-error: decorator
@inline
export function tanh(x: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp(f32x4.add(x, x));
  return f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(e, one)));
}

/**
 * Updates W along its gradient A^T D, and the transposed copy of W with it. The gradient of a tile of
 * 4 x 8 weights is summed over all rows in registers and applied from there, so dW is never stored.
 * Layouts and padding as in matmul.ts.
 */
import { descend } from "./optimizer";
import { fma } from "./simd";

/**
 * @param bytes size of the whole tensor that W is part of; its moments lie at this distance
 * @param transposed [fanIn / 8][fanOut][8]
 */
export function learn(
  w: usize, bytes: usize, transposed: usize,
  a: usize, d: usize, rows: i32, fanIn: i32, fanOut: i32,
): void {
  const stride = <usize>rows << 4;
  for (let p = 0; p < fanOut; p += 8, d += stride << 1) {
    let from = a;
    for (let q = 0; q < fanIn; q += 4, w += 128) {
      let d0 = d, d1 = d + stride;
      let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
      let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
      for (let r = rows; r > 0; r -= 2, from += 32, d0 += 32, d1 += 32) {
        let y0 = v128.load(d0, 0), y1 = v128.load(d1, 0), x: v128;
        x = v128.load32_splat(from, 0); c00 = fma(x, y0, c00); c01 = fma(x, y1, c01);
        x = v128.load32_splat(from, 4); c10 = fma(x, y0, c10); c11 = fma(x, y1, c11);
        x = v128.load32_splat(from, 8); c20 = fma(x, y0, c20); c21 = fma(x, y1, c21);
        x = v128.load32_splat(from, 12); c30 = fma(x, y0, c30); c31 = fma(x, y1, c31);
        y0 = v128.load(d0, 16); y1 = v128.load(d1, 16);
        x = v128.load32_splat(from, 16); c00 = fma(x, y0, c00); c01 = fma(x, y1, c01);
        x = v128.load32_splat(from, 20); c10 = fma(x, y0, c10); c11 = fma(x, y1, c11);
        x = v128.load32_splat(from, 24); c20 = fma(x, y0, c20); c21 = fma(x, y1, c21);
        x = v128.load32_splat(from, 28); c30 = fma(x, y0, c30); c31 = fma(x, y1, c31);
      }
      c00 = descend(w, bytes, c00); c01 = descend(w + 16, bytes, c01);
      c10 = descend(w + 32, bytes, c10); c11 = descend(w + 48, bytes, c11);
      c20 = descend(w + 64, bytes, c20); c21 = descend(w + 80, bytes, c21);
      c30 = descend(w + 96, bytes, c30); c31 = descend(w + 112, bytes, c31);
      const t = transposed + ((<usize>(q >> 3) * <usize>fanOut + <usize>p) << 5) + (<usize>(q & 4) << 2);
      storeTransposed(t, c00, c10, c20, c30);
      storeTransposed(t + 128, c01, c11, c21, c31);
    }
  }
}

/** Stores four vectors transposed; the rows are 32 bytes apart in a panel. */
// @ts-expect-error: decorator
@inline
function storeTransposed(t: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5), ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5), cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(t, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5), 0);
  v128.store(t, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7), 32);
  v128.store(t, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), 64);
  v128.store(t, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), 96);
}

/** Rebuilds the transposed copy. Call it after JavaScript has written weights. */
export function transpose(w: usize, transposed: usize, fanIn: i32, fanOut: i32): void {
  for (let p = 0; p < fanOut; p += 8)
    for (let q = 0; q < fanIn; q += 4, w += 128) {
      const t = transposed + ((<usize>(q >> 3) * <usize>fanOut + <usize>p) << 5) + (<usize>(q & 4) << 2);
      storeTransposed(t, v128.load(w, 0), v128.load(w, 32), v128.load(w, 64), v128.load(w, 96));
      storeTransposed(t + 128, v128.load(w, 16), v128.load(w, 48), v128.load(w, 80), v128.load(w, 112));
    }
}

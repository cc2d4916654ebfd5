/**
 * C = A W. A and C are in groups of four channels, [channels / 4][rows][4]; W is in panels of
 * eight columns, [fanOut / 8][fanIn][8]. `rows` comes from `padRows`; `fanIn` and `fanOut` are
 * multiples of 8.
 *
 *       A, group q / 4            W, panel p / 8                 C, groups p / 4 and p / 4 + 1
 *     row 0  [a a a a]        q     [w w w w  w w w w]       row 0  [c c c c]   [c c c c]
 *     row 1  [a a a a]   x    q + 1 [w w w w  w w w w]   =   row 1  [c c c c]   [c c c c]
 *       …                     q + 2 …                          …
 *
 * A tile of 6 (or 4) rows by 8 columns stays in registers during the loop over q: 12 sums, 2 vectors
 * of W and one of A fill the 15 registers that x64 engines offer. Twelve sums hide the latency of a
 * multiply-add (two per cycle, four cycles each); eight are just too few. Without fused multiply-add
 * each product needs its own register, and an addition has less latency: so 4 rows.
 */
import { fma } from "./simd";

export function matmul(c: usize, a: usize, w: usize, rows: i32, fanIn: i32, fanOut: i32): void {
  addMatmul(c, a, w, rows, <usize>rows << 4, fanIn, fanOut, ZEROS, 0);
}

/** Start values of a panel's sums if there is nothing to add. */
const ZEROS = memory.data(32, 16);

/**
 * C = start + A W, for the first `rows` rows of the matrices.
 *
 * @param stride bytes from one group of A and C to the next
 * @param start address of eight start values for every row of a panel; 0 to start from C
 * @param step bytes from one panel's `start` to the next
 */
export function addMatmul(
  c: usize, a: usize, w: usize, rows: i32, stride: usize, fanIn: i32, fanOut: i32, start: usize, step: usize,
): void {
  for (; fanOut > 0; fanOut -= 8) {
    let left = rows;
    let from = a, to = c;
    if (ASC_FEATURE_RELAXED_SIMD) {
      // Every even number from 4 on is a sum of sixes and at most two fours.
      for (; left > 8 || left == 6; left -= 6, from += 96, to += 96) tile6(to, from, w, stride, fanIn, start);
    }
    for (; left > 0; left -= 4, from += 64, to += 64) tile4(to, from, w, stride, fanIn, start);
    w += <usize>fanIn << 5;
    c += stride << 1;
    start += step;
  }
}

// @ts-expect-error: decorator
@inline
function tile6(c: usize, a: usize, w: usize, stride: usize, fanIn: i32, start: usize): void {
  let c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128;
  let c30: v128, c31: v128, c40: v128, c41: v128, c50: v128, c51: v128;
  if (start) {
    c00 = c10 = c20 = c30 = c40 = c50 = v128.load(start, 0);
    c01 = c11 = c21 = c31 = c41 = c51 = v128.load(start, 16);
  } else {
    c00 = v128.load(c, 0); c10 = v128.load(c, 16); c20 = v128.load(c, 32);
    c30 = v128.load(c, 48); c40 = v128.load(c, 64); c50 = v128.load(c, 80);
    const next = c + stride;
    c01 = v128.load(next, 0); c11 = v128.load(next, 16); c21 = v128.load(next, 32);
    c31 = v128.load(next, 48); c41 = v128.load(next, 64); c51 = v128.load(next, 80);
  }
  for (let q = fanIn; q > 0; q -= 4, a += stride, w += 128) {
    let w0 = v128.load(w, 0), w1 = v128.load(w, 16), x: v128;
    x = v128.load32_splat(a, 0); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 16); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 32); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 48); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    x = v128.load32_splat(a, 64); c40 = fma(x, w0, c40); c41 = fma(x, w1, c41);
    x = v128.load32_splat(a, 80); c50 = fma(x, w0, c50); c51 = fma(x, w1, c51);
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    x = v128.load32_splat(a, 4); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 20); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 36); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 52); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    x = v128.load32_splat(a, 68); c40 = fma(x, w0, c40); c41 = fma(x, w1, c41);
    x = v128.load32_splat(a, 84); c50 = fma(x, w0, c50); c51 = fma(x, w1, c51);
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    x = v128.load32_splat(a, 8); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 24); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 40); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 56); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    x = v128.load32_splat(a, 72); c40 = fma(x, w0, c40); c41 = fma(x, w1, c41);
    x = v128.load32_splat(a, 88); c50 = fma(x, w0, c50); c51 = fma(x, w1, c51);
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    x = v128.load32_splat(a, 12); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 28); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 44); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 60); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    x = v128.load32_splat(a, 76); c40 = fma(x, w0, c40); c41 = fma(x, w1, c41);
    x = v128.load32_splat(a, 92); c50 = fma(x, w0, c50); c51 = fma(x, w1, c51);
  }
  v128.store(c, c00, 0); v128.store(c, c10, 16); v128.store(c, c20, 32);
  v128.store(c, c30, 48); v128.store(c, c40, 64); v128.store(c, c50, 80);
  c += stride;
  v128.store(c, c01, 0); v128.store(c, c11, 16); v128.store(c, c21, 32);
  v128.store(c, c31, 48); v128.store(c, c41, 64); v128.store(c, c51, 80);
}

// @ts-expect-error: decorator
@inline
function tile4(c: usize, a: usize, w: usize, stride: usize, fanIn: i32, start: usize): void {
  let c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128, c30: v128, c31: v128;
  if (start) {
    c00 = c10 = c20 = c30 = v128.load(start, 0);
    c01 = c11 = c21 = c31 = v128.load(start, 16);
  } else {
    c00 = v128.load(c, 0); c10 = v128.load(c, 16); c20 = v128.load(c, 32); c30 = v128.load(c, 48);
    const next = c + stride;
    c01 = v128.load(next, 0); c11 = v128.load(next, 16); c21 = v128.load(next, 32); c31 = v128.load(next, 48);
  }
  for (let q = fanIn; q > 0; q -= 4, a += stride, w += 128) {
    let w0 = v128.load(w, 0), w1 = v128.load(w, 16), x: v128;
    x = v128.load32_splat(a, 0); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 16); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 32); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 48); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    w0 = v128.load(w, 32); w1 = v128.load(w, 48);
    x = v128.load32_splat(a, 4); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 20); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 36); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 52); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    w0 = v128.load(w, 64); w1 = v128.load(w, 80);
    x = v128.load32_splat(a, 8); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 24); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 40); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 56); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
    w0 = v128.load(w, 96); w1 = v128.load(w, 112);
    x = v128.load32_splat(a, 12); c00 = fma(x, w0, c00); c01 = fma(x, w1, c01);
    x = v128.load32_splat(a, 28); c10 = fma(x, w0, c10); c11 = fma(x, w1, c11);
    x = v128.load32_splat(a, 44); c20 = fma(x, w0, c20); c21 = fma(x, w1, c21);
    x = v128.load32_splat(a, 60); c30 = fma(x, w0, c30); c31 = fma(x, w1, c31);
  }
  v128.store(c, c00, 0); v128.store(c, c10, 16); v128.store(c, c20, 32); v128.store(c, c30, 48);
  c += stride;
  v128.store(c, c01, 0); v128.store(c, c11, 16); v128.store(c, c21, 32); v128.store(c, c31, 48);
}

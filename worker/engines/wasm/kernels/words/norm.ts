/**
 * LayerNorm and RMSNorm: normalise each row over its channels. A pass over the channels handles four rows, so that
 * it reads whole cache lines.
 */
import { descend } from "../optimizer";
import { inside } from "../loss";
import { fma, fnma } from "../simd";
import { trie } from "./trie";

@unmanaged
export class Norm {
  code: u32;
  space: u32;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  channels: i32;
  width: i32;
  epsilon: f32;
  /** Whether to subtract the mean: yes for LayerNorm, no for RMSNorm. */
  centers: u32;
  /** Learned scale and shift, f32 [width]; 0 for RMSNorm. */
  weight: usize;
  bias: usize;
  /** Mean and 1 / deviation of each row, f32 [2, rows]. */
  statistics: usize;

  forward(): void {
    const rows = <usize>trie.rows(this.space), stride = rows << 4, groups = this.width >> 2;
    const share = f32x4.splat(<f32>1 / <f32>this.channels), epsilon = f32x4.splat(this.epsilon);
    for (let r: usize = 0; r < rows; r += 4) {
      const x = this.x + (r << 4), y = this.y + (r << 4), statistics = this.statistics + (r << 2);
      let mean = f32x4.splat(0);
      if (this.centers) {
        let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
        for (let g = 0, p = x; g < groups; g++, p += stride) {
          s0 = f32x4.add(s0, v128.load(p, 0)); s1 = f32x4.add(s1, v128.load(p, 16));
          s2 = f32x4.add(s2, v128.load(p, 32)); s3 = f32x4.add(s3, v128.load(p, 48));
        }
        mean = f32x4.mul(sums(s0, s1, s2, s3), share);
        v128.store(statistics, mean);
      }
      const m0 = v128.shuffle<f32>(mean, mean, 0, 0, 0, 0), m1 = v128.shuffle<f32>(mean, mean, 1, 1, 1, 1);
      const m2 = v128.shuffle<f32>(mean, mean, 2, 2, 2, 2), m3 = v128.shuffle<f32>(mean, mean, 3, 3, 3, 3);
      let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
      for (let g = 0, p = x; g < groups; g++, p += stride) {
        const mask = inside(g << 2, this.channels);
        let d = v128.and(f32x4.sub(v128.load(p, 0), m0), mask); s0 = fma(d, d, s0);
        d = v128.and(f32x4.sub(v128.load(p, 16), m1), mask); s1 = fma(d, d, s1);
        d = v128.and(f32x4.sub(v128.load(p, 32), m2), mask); s2 = fma(d, d, s2);
        d = v128.and(f32x4.sub(v128.load(p, 48), m3), mask); s3 = fma(d, d, s3);
      }
      const variance = fma(sums(s0, s1, s2, s3), share, epsilon);
      const scale = f32x4.div(f32x4.splat(1), f32x4.sqrt(variance));
      v128.store(statistics + (rows << 2), scale);
      const k0 = v128.shuffle<f32>(scale, scale, 0, 0, 0, 0), k1 = v128.shuffle<f32>(scale, scale, 1, 1, 1, 1);
      const k2 = v128.shuffle<f32>(scale, scale, 2, 2, 2, 2), k3 = v128.shuffle<f32>(scale, scale, 3, 3, 3, 3);
      let weight = f32x4.splat(1), bias = f32x4.splat(0);
      for (let g: usize = 0, p = x, to = y; g < <usize>groups; g++, p += stride, to += stride) {
        if (this.weight) {
          weight = v128.load(this.weight + (g << 4));
          bias = v128.load(this.bias + (g << 4));
        }
        v128.store(to, fma(f32x4.mul(f32x4.sub(v128.load(p, 0), m0), k0), weight, bias), 0);
        v128.store(to, fma(f32x4.mul(f32x4.sub(v128.load(p, 16), m1), k1), weight, bias), 16);
        v128.store(to, fma(f32x4.mul(f32x4.sub(v128.load(p, 32), m2), k2), weight, bias), 32);
        v128.store(to, fma(f32x4.mul(f32x4.sub(v128.load(p, 48), m3), k3), weight, bias), 48);
      }
    }
  }

  /** With n = (x - mean) / deviation and g = dy weight: dx = (g - mean(g) - n mean(g n)) / deviation. */
  backward(): void {
    const rows = <usize>trie.rows(this.space), stride = rows << 4, groups = this.width >> 2;
    const share = f32x4.splat(<f32>1 / <f32>this.channels);
    for (let r: usize = 0; r < rows; r++) {
      const x = this.x + (r << 4), dx = this.dx + (r << 4), dy = this.dy + (r << 4);
      const statistics = this.statistics + (r << 2);
      const mean = this.centers ? v128.load32_splat(statistics) : f32x4.splat(0);
      const scale = v128.load32_splat(statistics + (rows << 2));
      let total = f32x4.splat(0), product = f32x4.splat(0);
      let weight = f32x4.splat(1);
      for (let g: usize = 0, at: usize = 0; g < <usize>groups; g++, at += stride) {
        if (this.weight) weight = v128.load(this.weight + (g << 4));
        const d = f32x4.mul(v128.load(dy + at), weight);
        total = f32x4.add(total, d);
        product = fma(d, f32x4.sub(v128.load(x + at), mean), product);
      }
      // n mean(g n) = (x - mean) mean(g (x - mean)) / deviation^2
      total = this.centers ? f32x4.mul(sumSplat(total), share) : f32x4.splat(0);
      product = f32x4.mul(f32x4.mul(sumSplat(product), share), f32x4.mul(scale, scale));
      for (let g: usize = 0, at: usize = 0; g < <usize>groups; g++, at += stride) {
        if (this.weight) weight = v128.load(this.weight + (g << 4));
        const d = f32x4.sub(f32x4.mul(v128.load(dy + at), weight), total);
        const change = fnma(f32x4.sub(v128.load(x + at), mean), product, d);
        const padded = v128.and(f32x4.mul(change, scale), inside(<i32>g << 2, this.channels));
        v128.store(dx + at, padded);
      }
    }
    if (this.weight) this.learn(rows);
  }

  private learn(rows: usize): void {
    const bytes = (<usize>this.width) << 2, statistics = this.statistics;
    let x = this.x, dy = this.dy;
    for (let c: usize = 0; c < bytes; c += 16) {
      let weight = f32x4.splat(0), bias = f32x4.splat(0);
      for (let r: usize = 0; r < rows << 2; r += 4, x += 16, dy += 16) {
        const d = v128.load(dy), n = f32x4.sub(v128.load(x), v128.load32_splat(statistics + r));
        weight = fma(d, f32x4.mul(n, v128.load32_splat(statistics + (rows << 2) + r)), weight);
        bias = f32x4.add(bias, d);
      }
      descend(this.weight + c, bytes, weight);
      descend(this.bias + c, bytes, bias);
    }
  }
}

/** Returns the sum of each of four vectors. */
// @ts-expect-error: decorator
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** Returns the sum of the four numbers in all four lanes. */
// @ts-expect-error: decorator
@inline
function sumSplat(v: v128): v128 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2));
}

/**
 * BatchNorm1d over all places of a minibatch, forward and backward. A row counts as often as places
 * share it (`shares`), so the statistics are those of the places. The variance is unbiased.
 * Two groups of four channels are processed together, so that independent sums overlap.
 */
import { allocate } from "./memory";
import { allocateParameter, descend } from "./optimizer";
import { Rows } from "./rows";
import { fma, fnma } from "./simd";

export class BatchNorm {
  readonly gamma: usize;
  readonly beta: usize;
  readonly runningMean: usize;
  readonly runningVariance: usize;
  /** 1 / sqrt(variance + epsilon) of this step. */
  private readonly inverseDeviation: usize;
  /** The normalised rows, before gamma and beta. */
  private readonly normal: usize;

  constructor(
    rows: Rows,
    readonly momentum: f32,
    readonly epsilon: f32,
  ) {
    this.gamma = allocateParameter(rows.width);
    this.beta = allocateParameter(rows.width);
    this.runningMean = allocate(rows.width);
    this.runningVariance = allocate(rows.width);
    this.inverseDeviation = allocate(rows.width);
    this.normal = allocate(<u64>rows.capacity * rows.width);
  }

  /** rows = gamma (rows - mean) / sqrt(variance + epsilon) + beta; updates the running statistics. */
  forward(rows: Rows, shares: usize): void {
    const stride = rows.groupStride;
    const perPlace = f32x4.splat(<f32>(1.0 / <f64>rows.places));
    const perFreedom = f32x4.splat(<f32>(1.0 / <f64>(rows.places - 1)));
    const old = f32x4.splat(1 - this.momentum),
      fresh = f32x4.splat(this.momentum);
    const normal = this.normal - rows.values;
    let z = rows.values;
    for (let c: usize = 0, bytes = (<usize>rows.width) << 2; c < bytes; c += 32, z += stride) {
      let m0 = f32x4.splat(0),
        m1 = f32x4.splat(0),
        v0 = f32x4.splat(0),
        v1 = f32x4.splat(0);
      const end = z + stride;
      for (let p = z, s = shares; p < end; p += 16, s += 4) {
        const share = v128.load32_splat(s);
        m0 = fma(share, v128.load(p), m0);
        m1 = fma(share, v128.load(p + stride), m1);
      }
      m0 = f32x4.mul(m0, perPlace);
      m1 = f32x4.mul(m1, perPlace);
      for (let p = z, s = shares; p < end; p += 16, s += 4) {
        const share = v128.load32_splat(s);
        const d0 = f32x4.sub(v128.load(p), m0),
          d1 = f32x4.sub(v128.load(p + stride), m1);
        v0 = fma(share, f32x4.mul(d0, d0), v0);
        v1 = fma(share, f32x4.mul(d1, d1), v1);
      }
      v0 = f32x4.mul(v0, perFreedom);
      v1 = f32x4.mul(v1, perFreedom);
      const mean = this.runningMean + c,
        variance = this.runningVariance + c;
      v128.store(mean, fma(m0, fresh, f32x4.mul(v128.load(mean), old)));
      v128.store(mean, fma(m1, fresh, f32x4.mul(v128.load(mean, 16), old)), 16);
      v128.store(variance, fma(v0, fresh, f32x4.mul(v128.load(variance), old)));
      v128.store(variance, fma(v1, fresh, f32x4.mul(v128.load(variance, 16), old)), 16);
      const i0 = this.inverse(v0),
        i1 = this.inverse(v1);
      v128.store(this.inverseDeviation + c, i0);
      v128.store(this.inverseDeviation + c, i1, 16);
      const g0 = v128.load(this.gamma + c),
        g1 = v128.load(this.gamma + c, 16);
      const b0 = v128.load(this.beta + c),
        b1 = v128.load(this.beta + c, 16);
      for (let p = z; p < end; p += 16) {
        const x0 = f32x4.mul(f32x4.sub(v128.load(p), m0), i0);
        const x1 = f32x4.mul(f32x4.sub(v128.load(p + stride), m1), i1);
        v128.store(p + normal, x0);
        v128.store(p + normal + stride, x1);
        v128.store(p, fma(x0, g0, b0));
        v128.store(p + stride, fma(x1, g1, b1));
      }
      z = end;
    }
  }

  @inline
  private inverse(variance: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(variance, f32x4.splat(this.epsilon))));
  }

  /**
   * Turns the gradient of this layer's output into that of its input, in place, and trains gamma and
   * beta. With n places, through mean and unbiased variance:
   * dx = gamma / deviation (dy - sum(dy) / n - normal sum(dy normal) / (n - 1)).
   */
  backward(rows: Rows, shares: usize): void {
    const stride = rows.groupStride;
    const perPlace = f32x4.splat(<f32>(1.0 / <f64>rows.places));
    const perFreedom = f32x4.splat(<f32>(1.0 / <f64>(rows.places - 1)));
    const normal = this.normal - rows.gradient;
    const bytes = (<usize>rows.width) << 2;
    let d = rows.gradient;
    for (let c: usize = 0; c < bytes; c += 32, d += stride) {
      let s0 = f32x4.splat(0),
        s1 = f32x4.splat(0),
        t0 = f32x4.splat(0),
        t1 = f32x4.splat(0);
      const end = d + stride;
      for (let p = d; p < end; p += 16) {
        const d0 = v128.load(p),
          d1 = v128.load(p + stride);
        s0 = f32x4.add(s0, d0);
        s1 = f32x4.add(s1, d1);
        t0 = fma(d0, v128.load(p + normal), t0);
        t1 = fma(d1, v128.load(p + normal + stride), t1);
      }
      const gamma = this.gamma + c,
        beta = this.beta + c;
      const k0 = f32x4.mul(v128.load(gamma), v128.load(this.inverseDeviation + c));
      const k1 = f32x4.mul(v128.load(gamma, 16), v128.load(this.inverseDeviation + c, 16));
      descend(gamma, bytes, t0);
      descend(gamma + 16, bytes, t1);
      descend(beta, bytes, s0);
      descend(beta + 16, bytes, s1);
      s0 = f32x4.mul(s0, perPlace);
      s1 = f32x4.mul(s1, perPlace);
      t0 = f32x4.mul(t0, perFreedom);
      t1 = f32x4.mul(t1, perFreedom);
      for (let p = d, s = shares; p < end; p += 16, s += 4) {
        const share = v128.load32_splat(s);
        const e0 = fma(v128.load(p + normal), t0, s0),
          e1 = fma(v128.load(p + normal + stride), t1, s1);
        v128.store(p, f32x4.mul(k0, fnma(share, e0, v128.load(p))));
        v128.store(p + stride, f32x4.mul(k1, fnma(share, e1, v128.load(p + stride))));
      }
      d = end;
    }
  }
}

/**
 * BatchNorm1d over all places of a minibatch, forward and backward. A row counts as often as places
 * share it (`shares`), so the statistics are those of the places. The variance is unbiased.
 * Two groups of four channels are processed together, so that independent sums overlap. A Tanh that follows is
 * computed in the same loops, which saves a pass over the rows each way.
 */
import { allocate } from "./memory";
import { allocateParameter, descend } from "./optimizer";
import { Rows } from "./rows";
import { fma, fnma, tanh } from "./simd";

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

  /**
   * rows = gamma (rows - mean) / sqrt(variance + epsilon) + beta, or its tanh; updates the running statistics.
   *
   * Mean and variance are summed in one pass, relative to the first row. Then the variance keeps its precision even
   * if the mean is much larger.
   */
  forward(rows: Rows, shares: usize, hasTanh: bool): void {
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
      const first0 = v128.load(z),
        first1 = v128.load(z + stride);
      for (let p = z, s = shares; p < end; p += 16, s += 4) {
        const share = v128.load32_splat(s);
        const d0 = f32x4.sub(v128.load(p), first0),
          d1 = f32x4.sub(v128.load(p + stride), first1);
        const w0 = f32x4.mul(share, d0),
          w1 = f32x4.mul(share, d1);
        m0 = f32x4.add(m0, w0);
        m1 = f32x4.add(m1, w1);
        v0 = fma(w0, d0, v0);
        v1 = fma(w1, d1, v1);
      }
      const e0 = f32x4.mul(m0, perPlace),
        e1 = f32x4.mul(m1, perPlace);
      // Rounding must not make them negative.
      v0 = f32x4.max(fnma(e0, m0, v0), f32x4.splat(0));
      v1 = f32x4.max(fnma(e1, m1, v1), f32x4.splat(0));
      m0 = f32x4.add(e0, first0);
      m1 = f32x4.add(e1, first1);
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
        let y0 = fma(x0, g0, b0),
          y1 = fma(x1, g1, b1);
        if (hasTanh) {
          y0 = tanh(y0);
          y1 = tanh(y1);
        }
        v128.store(p, y0);
        v128.store(p + stride, y1);
      }
      z = end;
    }
  }

  @inline
  private inverse(variance: v128): v128 {
    return f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(variance, f32x4.splat(this.epsilon))));
  }

  /**
   * Turns the gradient of this layer's output, or of the Tanh that follows, into that of its input, in place, and
   * trains gamma and beta. With n places, through mean and unbiased variance:
   * dx = gamma / deviation (dy - sum(dy) / n - normal sum(dy normal) / (n - 1)).
   */
  backward(rows: Rows, shares: usize, hasTanh: bool): void {
    const stride = rows.groupStride;
    const perPlace = f32x4.splat(<f32>(1.0 / <f64>rows.places));
    const perFreedom = f32x4.splat(<f32>(1.0 / <f64>(rows.places - 1)));
    const normal = this.normal - rows.gradient;
    const values = rows.values - rows.gradient;
    const bytes = (<usize>rows.width) << 2;
    let d = rows.gradient;
    for (let c: usize = 0; c < bytes; c += 32, d += stride) {
      let s0 = f32x4.splat(0),
        s1 = f32x4.splat(0),
        t0 = f32x4.splat(0),
        t1 = f32x4.splat(0);
      const end = d + stride;
      for (let p = d; p < end; p += 16) {
        let d0 = v128.load(p),
          d1 = v128.load(p + stride);
        if (hasTanh) {
          const h0 = v128.load(p + values),
            h1 = v128.load(p + values + stride);
          d0 = f32x4.mul(d0, fnma(h0, h0, f32x4.splat(1)));
          d1 = f32x4.mul(d1, fnma(h1, h1, f32x4.splat(1)));
          v128.store(p, d0);
          v128.store(p + stride, d1);
        }
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

/** Elementwise operations. */
import { exp, fma, fnma, tanh } from "../simd";
import { trie } from "./trie";

/** Bytes of a value. */
// @ts-expect-error: decorator
@inline
function size(space: u32, width: i32): usize {
  return (<usize>(trie.rows(space) * width)) << 2;
}

/** An activation. x and y may be the same memory, and so may dx and dy. */
@unmanaged
export class Activation {
  code: u32;
  space: u32;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  width: i32;
  /** GELU's derivative; may overwrite x. */
  slope: usize;

  tanh(): void {
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16)
      v128.store(this.y + i, tanh(v128.load(this.x + i)));
  }

  tanhBackward(): void {
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16) {
      const y = v128.load(this.y + i);
      v128.store(this.dx + i, f32x4.mul(v128.load(this.dy + i), fnma(y, y, f32x4.splat(1))));
    }
  }

  relu(): void {
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16)
      v128.store(this.y + i, f32x4.max(v128.load(this.x + i), f32x4.splat(0)));
  }

  reluBackward(): void {
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16) {
      const passes = f32x4.gt(v128.load(this.y + i), f32x4.splat(0));
      v128.store(this.dx + i, v128.and(v128.load(this.dy + i), passes));
    }
  }

  /** x / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3): equals the usual formula 0.5 x (1 + tanh(u)). */
  gelu(): void {
    const one = f32x4.splat(1), a = f32x4.splat(1.5957691216057308), b = f32x4.splat(0.07135481282);
    const b3 = f32x4.splat(0.21406443846);
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16) {
      const x = v128.load(this.x + i), square = f32x4.mul(x, x);
      const twoU = f32x4.mul(x, fma(b, square, a));
      const s = f32x4.div(one, f32x4.add(one, exp(f32x4.neg(twoU)))), y = f32x4.mul(x, s);
      // s + x s (1 - s) (2u)'
      v128.store(this.slope + i, fma(f32x4.mul(y, f32x4.sub(one, s)), fma(b3, square, a), s));
      v128.store(this.y + i, y);
    }
  }

  geluBackward(): void {
    for (let i: usize = 0, end = size(this.space, this.width); i < end; i += 16)
      v128.store(this.dx + i, f32x4.mul(v128.load(this.dy + i), v128.load(this.slope + i)));
  }
}

/** The start of a Residual; only its backward pass does something. */
@unmanaged
export class ResidualStart {
  code: u32;
  space: u32;
  dx: usize;
  /** Gradient of the sum, and gradient of x through the inner layers. */
  dy: usize;
  inner: usize;
  width: i32;

  backward(): void {
    addAll(this.dx, this.dy, this.inner, size(this.space, this.width));
  }
}

/** The end of a Residual: y = x + inner. */
@unmanaged
export class ResidualEnd {
  code: u32;
  space: u32;
  x: usize;
  inner: usize;
  y: usize;
  width: i32;

  forward(): void {
    addAll(this.y, this.x, this.inner, size(this.space, this.width));
  }
}

function addAll(to: usize, a: usize, b: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16)
    v128.store(to + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
}

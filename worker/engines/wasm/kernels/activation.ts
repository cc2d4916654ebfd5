/** Tanh over the rows of a level, forward and backward, in place. */
import { Rows } from "./rows";
import { fnma, tanh } from "./simd";

export function tanhForward(rows: Rows): void {
  const end = rows.values + ((<usize>rows.count * <usize>rows.width) << 2);
  for (let p = rows.values; p < end; p += 16) v128.store(p, tanh(v128.load(p)));
}

/** tanh' = 1 - tanh^2. */
export function tanhBackward(rows: Rows): void {
  const end = rows.values + ((<usize>rows.count * <usize>rows.width) << 2);
  const gradient = rows.gradient - rows.values;
  for (let p = rows.values; p < end; p += 16) {
    const h = v128.load(p);
    v128.store(p + gradient, f32x4.mul(v128.load(p + gradient), fnma(h, h, f32x4.splat(1))));
  }
}

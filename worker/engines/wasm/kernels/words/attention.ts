/**
 * Scaled dot-product attention of a node to the nodes on its path. `qkv` holds queries, keys and values, each in
 * `groups` groups of four channels; a head has `headGroups` groups, padded with zeros.
 */
import { exp, fma, sum } from "../simd";
import { trie } from "./trie";

@unmanaged
export class Attention {
  code: u32;
  qkv: usize;
  gradient: usize;
  y: usize;
  dy: usize;
  groups: i32;
  heads: i32;
  headGroups: i32;
  /** 1 / sqrt(size of a head). */
  scale: f32;
  /** Attention weight of each node on the path, per node and head, f32. */
  shares: usize;
  /** Gradients of the attention weights of one node and head, f32 [longest path]. */
  shareGradients: usize;

  forward(): void {
    const stride = (<usize>trie.nodes) << 4, part = <usize>this.groups * stride;
    const headStride = <usize>this.headGroups * stride;
    // Groups after the last head, up to the padded width, stay 0.
    const used = <usize>this.heads * headStride;
    memory.fill(this.y + used, 0, part - used);
    for (let node: usize = 0; node < <usize>trie.nodes; node++) {
      const path = trie.path + ((<usize>load<u32>(trie.paths + (node << 2))) << 2);
      const count = ((<usize>load<u32>(trie.depths + (node << 2))) + 1) << 2, padded = (count + 15) & ~15;
      let shares = this.shares + (path - trie.path) * <usize>this.heads;
      let q = this.qkv + (node << 4), y = this.y + (node << 4);
      for (let head = 0; head < this.heads; head++, q += headStride, y += headStride, shares += padded) {
        const k = q + part - (node << 4), v = k + part;
        let top = -f32.MAX_VALUE;
        for (let j: usize = 0; j < count; j += 4) {
          const score = this.dot(q, k + ((<usize>load<u32>(path + j)) << 4), stride) * this.scale;
          top = max(top, score);
          store<f32>(shares + j, score);
        }
        for (let j = count; j < padded; j += 4) store<f32>(shares + j, -f32.MAX_VALUE);
        let total = f32x4.splat(0);
        for (let j: usize = 0; j < padded; j += 16) {
          const e = exp(f32x4.sub(v128.load(shares + j), f32x4.splat(top)));
          total = f32x4.add(total, e);
          v128.store(shares + j, e);
        }
        const normalizer = f32x4.splat(<f32>1 / sum(total));
        for (let j: usize = 0; j < padded; j += 16)
          v128.store(shares + j, f32x4.mul(v128.load(shares + j), normalizer));
        for (let at: usize = 0; at < headStride; at += stride) {
          let found = f32x4.splat(0);
          for (let j: usize = 0; j < count; j += 4)
            found = fma(v128.load32_splat(shares + j), v128.load(v + at + ((<usize>load<u32>(path + j)) << 4)), found);
          v128.store(y + at, found);
        }
      }
    }
  }

  backward(): void {
    const stride = (<usize>trie.nodes) << 4, part = <usize>this.groups * stride;
    const headStride = <usize>this.headGroups * stride, toGradient = this.gradient - this.qkv;
    memory.fill(this.gradient, 0, 3 * part);
    for (let node: usize = 0; node < <usize>trie.nodes; node++) {
      const path = trie.path + ((<usize>load<u32>(trie.paths + (node << 2))) << 2);
      const count = ((<usize>load<u32>(trie.depths + (node << 2))) + 1) << 2, padded = (count + 15) & ~15;
      let shares = this.shares + (path - trie.path) * <usize>this.heads;
      let q = this.qkv + (node << 4), dy = this.dy + (node << 4);
      const changes = this.shareGradients;
      for (let head = 0; head < this.heads; head++, q += headStride, dy += headStride, shares += padded) {
        const k = q + part - (node << 4), v = k + part;
        let mean: f32 = 0;
        for (let j: usize = 0; j < count; j += 4) {
          const d = this.dot(dy, v + ((<usize>load<u32>(path + j)) << 4), stride);
          mean += d * load<f32>(shares + j);
          store<f32>(changes + j, d);
        }
        for (let j: usize = 0; j < count; j += 4)
          store<f32>(changes + j, (load<f32>(changes + j) - mean) * load<f32>(shares + j) * this.scale);
        for (let at: usize = 0; at < headStride; at += stride) {
          const query = v128.load(q + at), d = v128.load(dy + at);
          let dq = f32x4.splat(0);
          for (let j: usize = 0; j < count; j += 4) {
            const other = at + ((<usize>load<u32>(path + j)) << 4), change = v128.load32_splat(changes + j);
            dq = fma(change, v128.load(k + other), dq);
            const dk = k + other + toGradient, dv = v + other + toGradient;
            v128.store(dk, fma(change, query, v128.load(dk)));
            v128.store(dv, fma(v128.load32_splat(shares + j), d, v128.load(dv)));
          }
          v128.store(q + at + toGradient, dq);
        }
      }
    }
  }

  @inline
  private dot(a: usize, b: usize, stride: usize): f32 {
    let total = f32x4.splat(0);
    for (let g = this.headGroups; g > 0; g--, a += stride, b += stride) total = fma(v128.load(a), v128.load(b), total);
    return sum(total);
  }
}

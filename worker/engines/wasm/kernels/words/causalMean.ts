/** The mean of x over a node and all its ancestors. */
import { trie } from "./trie";

@unmanaged
export class CausalMean {
  code: u32;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  width: i32;
  /** Sums along the paths. */
  total: usize;

  forward(): void {
    const rows = (<usize>trie.nodes) << 2, stride = rows << 2;
    for (let g = 0, at: usize = 0; g < this.width >> 2; g++, at += stride) {
      const total = this.total + at, x = this.x + at, y = this.y + at;
      v128.store(total, f32x4.splat(0));
      for (let r: usize = 0; r < rows; r += 4) {
        // A root has no parent; there is one root per group.
        const before = load<u32>(trie.depths + r) ? v128.load(total + ((<usize>load<u32>(trie.parents + r)) << 4)) : f32x4.splat(0);
        const now = f32x4.add(before, v128.load(x + (r << 2)));
        v128.store(total + (r << 2), now);
        v128.store(y + (r << 2), f32x4.div(now, f32x4.splat(<f32>(load<u32>(trie.depths + r) + 1))));
      }
    }
  }

  backward(): void {
    const rows = (<usize>trie.nodes) << 2, stride = rows << 2;
    for (let g = 0, at: usize = 0; g < this.width >> 2; g++, at += stride) {
      const dx = this.dx + at, dy = this.dy + at;
      for (let r: usize = 0; r < rows; r += 4)
        v128.store(dx + (r << 2), f32x4.div(v128.load(dy + (r << 2)), f32x4.splat(<f32>(load<u32>(trie.depths + r) + 1))));
      for (let r = rows - 4; r > 0; r -= 4) {
        if (load<u32>(trie.depths + r) == 0) continue;
        const parent = dx + ((<usize>load<u32>(trie.parents + r)) << 4);
        v128.store(parent, f32x4.add(v128.load(parent), v128.load(dx + (r << 2))));
      }
    }
  }
}

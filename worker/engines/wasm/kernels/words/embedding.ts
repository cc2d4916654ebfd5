/** Lookups in the embedding tables of characters and of places in the word. Tables are [rows][channels]. */
import { descendAll } from "../optimizer";
import { gather, scatter } from "./gather";
import { trie } from "./trie";

/** y = the table's row of each distinct token. */
@unmanaged
export class Embedding {
  code: u32;
  weight: usize;
  /** Gradient of the whole table, `bytes` long. */
  gradient: usize;
  bytes: usize;
  y: usize;
  dy: usize;
  width: i32;

  forward(): void {
    const rows = trie.distinct, stride = (<usize>rows) << 4;
    for (let r: usize = 0; r < <usize>rows; r++) {
      let from = this.weight + ((<usize>load<u32>(trie.tokenOf + (r << 2)) * <usize>this.width) << 2);
      const end = from + ((<usize>this.width) << 2);
      for (let to = this.y + (r << 4); from < end; from += 16, to += stride) v128.store(to, v128.load(from));
    }
  }

  backward(): void {
    const rows = trie.distinct, stride = (<usize>rows) << 4;
    memory.fill(this.gradient, 0, this.bytes);
    for (let r: usize = 0; r < <usize>rows; r++) {
      let to = this.gradient + ((<usize>load<u32>(trie.tokenOf + (r << 2)) * <usize>this.width) << 2);
      const end = to + ((<usize>this.width) << 2);
      // Padding rows also read token 0, but their gradient is 0.
      for (let from = this.dy + (r << 4); to < end; from += stride, to += 16)
        v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    }
    descendAll(this.weight, this.bytes, this.gradient);
  }
}

/** Expands rows per token to rows per node. */
@unmanaged
export class Expand {
  code: u32;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  width: i32;

  forward(): void {
    gather(
      this.y, (<usize>trie.nodes) << 4, this.x, (<usize>trie.distinct) << 4,
      trie.tokenRows, 0, trie.nodes, this.width >> 2,
    );
  }

  backward(): void {
    memory.fill(this.dx, 0, (<usize>(trie.distinct * this.width)) << 2);
    scatter(
      this.dx, (<usize>trie.distinct) << 4, this.dy, (<usize>trie.nodes) << 4,
      trie.tokenRows, 0, trie.nodes, this.width >> 2,
    );
  }
}

/** y = x + the table's row of the place in the word. */
@unmanaged
export class PositionEmbedding {
  code: u32;
  weight: usize;
  gradient: usize;
  bytes: usize;
  x: usize;
  dx: usize;
  y: usize;
  dy: usize;
  width: i32;

  forward(): void {
    const size = (<usize>trie.nodes) << 4, channels = (<usize>this.width) << 2;
    let x = this.x, y = this.y;
    for (let c: usize = 0; c < channels; c += 16)
      for (let depth = trie.depths, end = x + size; x < end; x += 16, y += 16, depth += 4)
        v128.store(y, f32x4.add(v128.load(x), v128.load(this.weight + c + <usize>load<u32>(depth) * channels)));
  }

  backward(): void {
    const size = (<usize>trie.nodes) << 4, channels = (<usize>this.width) << 2;
    memory.fill(this.gradient, 0, this.bytes);
    let dx = this.dx, dy = this.dy;
    for (let c: usize = 0; c < channels; c += 16)
      for (let depth = trie.depths, end = dy + size; dy < end; dx += 16, dy += 16, depth += 4) {
        const d = v128.load(dy), to = this.gradient + c + <usize>load<u32>(depth) * channels;
        v128.store(to, f32x4.add(v128.load(to), d));
        v128.store(dx, d);
      }
    descendAll(this.weight, this.bytes, this.gradient);
  }
}

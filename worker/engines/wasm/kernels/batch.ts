/**
 * The minibatch of a step, drawn by seed and step as in worker/data/examples.ts, and the contexts of its
 * examples, as `readContext` in worker/data/dataset.ts reads them.
 */
import { allocate } from "./memory";

/** pcg4d; see worker/data/random.ts. */
function randomBits(seed: u32, stream: u32, step: u32, index: u32): u32 {
  let x: u32 = seed * 1664525 + 1013904223;
  let y: u32 = stream * 1664525 + 1013904223;
  let z: u32 = step * 1664525 + 1013904223;
  let w: u32 = index * 1664525 + 1013904223;
  x += y * w;
  y += z * x;
  z += x * y;
  w += y * z;
  x ^= x >> 16;
  y ^= y >> 16;
  z ^= z >> 16;
  w ^= w >> 16;
  return x + y * w;
}

/** `Stream.minibatch` of worker/data/random.ts. */
const MINIBATCH: u32 = 2;

/** 2^32 times the golden ratio's fraction: the stride of even order. */
const STRIDE: u32 = 2654435769;

export class Batch {
  /** Positions in the stream, u32 [size]. */
  readonly positions: usize;
  /** Target tokens if targets are hard, context ids if they are soft, u32 [size]. */
  readonly targets: usize;
  /** Even order instead of random. */
  even: bool = false;
  /** Positions of the examples, u32; 0 with soft targets, and if every position but the first is an example. */
  sorted: usize = 0;
  /** Number of examples. */
  count: u32;
  /** Tables of soft targets, as in worker/data/contexts.ts; 0 if targets are hard. */
  ranks: usize = 0;
  contexts: usize = 0;

  constructor(
    readonly size: i32,
    /** Tokens, u16 [length]. */
    readonly stream: usize,
    length: i32,
  ) {
    this.positions = allocate(size);
    this.targets = allocate(size);
    this.count = length - 1;
  }

  /** Draws the examples of a step: their positions, and the context ids as targets if targets are soft. */
  draw(seed: u32, step: u32): void {
    const examples = <u64>this.count;
    const offset = randomBits(seed, MINIBATCH, 0, 0),
      first = step * <u32>this.size;
    for (let row = 0; row < this.size; row++) {
      const bits = this.even ? (first + row) * STRIDE + offset : randomBits(seed, MINIBATCH, step, row);
      const index = <u32>((<u64>bits * examples) >> 32);
      const place = (<usize>row) << 2;
      if (this.contexts) {
        const context = this.contextOf(index);
        store<u32>(this.targets + place, context);
        store<u32>(this.positions + place, load<u32>(this.contexts + ((<usize>context) << 3)));
      } else {
        const position = this.sorted ? load<u32>(this.sorted + ((<usize>index) << 2)) : 1 + index;
        store<u32>(this.positions + place, position);
      }
    }
  }

  private contextOf(index: u32): u32 {
    const block = this.ranks + ((<usize>(index >> 5)) << 3);
    const first = load<u32>(block, 4) & ((<u32>0xffffffff) >> (31 - (index & 31)));
    return load<u32>(block) + popcnt<u32>(first) - 1;
  }

  /** Writes the contexts to `tokens`, u32 [contextLength, size], and the targets if they are hard. */
  read(tokens: usize, contextLength: i32, soft: bool): void {
    for (let row = 0; row < this.size; row++) {
      let position = load<u32>(this.positions + ((<usize>row) << 2));
      if (!soft) store<u32>(this.targets + ((<usize>row) << 2), load<u16>(this.stream + ((<usize>position) << 1)));
      let inside = true;
      for (let i = contextLength - 1; i >= 0; i--) {
        const token: u32 = inside ? <u32>load<u16>(this.stream + ((<usize>--position) << 1)) : 0;
        inside = token != 0;
        store<u32>(tokens + ((<usize>(i * this.size + row)) << 2), token);
      }
    }
  }
}

/**
 * The minibatch of a step: positions in the token stream, drawn by key as `drawBatch` in
 * worker/data/dataset.ts draws them, and the contexts before them, read as `readContext` does.
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

export class Batch {
  /** Positions in the stream, u32 [size]. */
  readonly positions: usize;
  /** Targets, u32 [size]. */
  readonly targets: usize;

  constructor(
    readonly size: i32,
    /** Tokens as u16, and how many. */
    readonly stream: usize,
    readonly length: i32,
  ) {
    this.positions = allocate(size);
    this.targets = allocate(size);
  }

  draw(seed: u32, step: u32): void {
    const examples = <u64>(this.length - 1);
    for (let row = 0; row < this.size; row++) {
      const bits = <u64>randomBits(seed, MINIBATCH, step, row);
      store<u32>(this.positions + ((<usize>row) << 2), 1 + <u32>((bits * examples) >> 32));
    }
  }

  /** Fills in the targets, and the contexts at `tokens`: u32 [contextLength, size]. */
  read(tokens: usize, contextLength: i32): void {
    for (let row = 0; row < this.size; row++) {
      let position = load<u32>(this.positions + ((<usize>row) << 2));
      store<u32>(this.targets + ((<usize>row) << 2), load<u16>(this.stream + ((<usize>position) << 1)));
      let inside = true;
      for (let i = contextLength - 1; i >= 0; i--) {
        const token: u32 = inside ? <u32>load<u16>(this.stream + ((<usize>--position) << 1)) : 0;
        inside = token != 0;
        store<u32>(tokens + ((<usize>(i * this.size + row)) << 2), token);
      }
    }
  }
}

/**
 * The one source of chance. Think of it as a function, not a generator: a number belongs to
 * its key (seed, stream, step, index) and to nothing else. So any engine, on any thread or GPU
 * lane, draws the same minibatch without a message, and a resumed training draws what the
 * unbroken one would have.
 *
 * The hash is pcg4d (M. Jarzynski and M. Olano, "Hash Functions for GPU Rendering", JCGT 9(3),
 * 2020): 32-bit multiplies, adds and shifts only, so JavaScript, WebAssembly and WGSL agree bit
 * for bit. The engines carry it in their own languages; `test/unit/random.test.ts` pins it.
 */

/**
 * A seed as a number. A string stands for its hash: FNV-1a (Fowler, Noll and Vo), 32 bits, over the
 * UTF-8 bytes of its NFC.
 */
export function seedNumber(seed: number | string): number {
  if (typeof seed === "number") return seed;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(seed.normalize("NFC")))
    hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** What a draw is for. Streams with different ids are independent of one another. */
export const Stream = {
  /** The order of the words before the split; step 0, index = position in the shuffle. */
  shuffle: 0,
  /** Initial weights; step = the parameter's place in the model, index = pair of elements. */
  weights: 1,
  /** Minibatches; step = the training step from 0, index = the row of the batch. */
  minibatch: 2,
  /** Sampling; step = which word of the call, index = which character of the word. */
  sampling: 3,
  /** Which endings that are tried are kept; step = which word of the call, index = characters of the word. */
  conditions: 4,
} as const;

/**
 * 32 random bits for a key: the first of pcg4d's four outputs. All arguments are taken as
 * unsigned 32-bit integers.
 */
export function randomBits(seed: number, stream: number, step: number, index: number): number {
  let x = (Math.imul(seed, 1664525) + 1013904223) | 0;
  let y = (Math.imul(stream, 1664525) + 1013904223) | 0;
  let z = (Math.imul(step, 1664525) + 1013904223) | 0;
  let w = (Math.imul(index, 1664525) + 1013904223) | 0;
  x = (x + Math.imul(y, w)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  w = (w + Math.imul(y, z)) | 0;
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  return (x + Math.imul(y, w)) >>> 0;
}

/**
 * An integer in [0, n), n at most 2^32: the high word of bits x n (Lemire's multiply-shift,
 * whose bias of n / 2^32 is far below what a training could show). 16-bit halves, because the
 * full product does not fit a double and WGSL has no 64-bit integers.
 */
export function randomBelow(bits: number, n: number): number {
  const aLow = bits & 0xffff;
  const aHigh = bits >>> 16;
  const bLow = n & 0xffff;
  const bHigh = n >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
}

/** A double in [0, 1) from 32 bits. */
export function randomUnit(bits: number): number {
  return bits / 0x1_0000_0000;
}

/**
 * Standard normal numbers (Box-Muller), as float32: element pair k of parameter `parameter`
 * comes from indices 2k and 2k + 1 of the weights stream.
 */
export function randomNormal(seed: number, parameter: number, length: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(length);
  fillNormal(out, seed, parameter, 0, length);
  return out;
}

/** Elements [from, to) of `randomNormal`; `from` is even. */
export function fillNormal(
  out: Float32Array,
  seed: number,
  parameter: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i += 2) {
    // 1 - u is in (0, 1], so the logarithm is finite.
    const u = 1 - randomUnit(randomBits(seed, Stream.weights, parameter, i));
    const angle = 2 * Math.PI * randomUnit(randomBits(seed, Stream.weights, parameter, i + 1));
    const radius = Math.sqrt(-2 * Math.log(u));
    out[i] = radius * Math.cos(angle);
    if (i + 1 < to) out[i + 1] = radius * Math.sin(angle);
  }
}

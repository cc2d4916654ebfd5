/**
 * The source of all random numbers. It is a hash function, not a generator: each number depends only on its key (seed,
 * stream, step, index). So every engine, thread and GPU lane draws the same minibatch without communication, and a
 * resumed training draws the same numbers as an uninterrupted one.
 *
 * The hash is pcg4d (M. Jarzynski and M. Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020). It uses 32-bit
 * multiplies, adds and shifts only, so JavaScript, WebAssembly and WGSL give the same bits. The engines have their own
 * versions of it; `test/unit/random.test.ts` pins the results.
 */

/**
 * Converts a seed to a number. A string becomes its 32-bit FNV-1a hash (Fowler, Noll and Vo), over the UTF-8 bytes of
 * its NFC form.
 */
export function seedNumber(seed: number | string): number {
  if (typeof seed === "number") return seed;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(seed.normalize("NFC")))
    hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** What a random number is for. Different streams are independent of each other. */
export const Stream = {
  /** Shuffling the words before the split; step 0, index = position in the shuffle. */
  shuffle: 0,
  /** Initial weights; step = the parameter's place in the model, index = pair of elements. */
  weights: 1,
  /** Minibatches; step = the training step from 0, index = the row of the batch. */
  minibatch: 2,
  /** Sampling; step = which word of the call, index = which character of the word. */
  sampling: 3,
  /** Keeping or rejecting the words that `Guide` tries; step = which word of the call, index = length of the word. */
  conditions: 4,
} as const;

/**
 * Returns 32 random bits for a key: the first of pcg4d's four outputs. All arguments are unsigned 32-bit integers.
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
 * Maps random bits to an integer in [0, n), n at most 2^32: the high word of bits * n (Lemire's multiply-shift). Its
 * bias of n / 2^32 is too small to affect a training. Computed from 16-bit halves, because the full product does not fit
 * into a double, and WGSL has no 64-bit integers.
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

/** Maps 32 random bits to a double in [0, 1). */
export function randomUnit(bits: number): number {
  return bits / 0x1_0000_0000;
}

/**
 * Standard normal numbers (Box-Muller), as float32. Elements 2k and 2k + 1 are made from the random bits with the same
 * indices of the stream `weights`.
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

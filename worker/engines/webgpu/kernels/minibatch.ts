/**
 * The minibatch in WGSL: which examples a step trains on, and their characters. An example is a position
 * in the stream of tokens: see worker/data/dataset.ts. Nothing is sent: each lane draws for itself.
 */
import { exampleCount, type TokenStream } from "../../../data/dataset";
import { Stream } from "../../../data/random";
import { Buffers } from "../plan";
import { type Binding, sizes } from "./kernel";

/** Buffers that the functions of `minibatch` read. */
export const minibatchBindings: readonly Binding[] = [
  { buffer: Buffers.stream, name: "stream", type: "array<u32>" }, // tokens, packed
  { buffer: Buffers.positions, name: "positions", type: "array<u32>" }, // [steps, BATCH]
];

/** `positionOf(example)` and `tokenAt(position)`. */
export function minibatch(stream: TokenStream, seed: number): string {
  return /* wgsl */ `
${sizes({
  SEED: seed,
  MINIBATCH: Stream.minibatch,
  EXAMPLES: exampleCount(stream),
  TOKENS_PER_WORD: 4 / stream.BYTES_PER_ELEMENT,
  TOKEN_BITS: 8 * stream.BYTES_PER_ELEMENT,
  TOKEN_MASK: 2 ** (8 * stream.BYTES_PER_ELEMENT) - 1,
})}

// The first of pcg4d's four outputs: randomBits of worker/data/random.ts.
fn randomBits(key: vec4u) -> u32 {
  var v = key * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16u);
  return v.x + v.y * v.w;
}

// The high word of bits x n, in 16-bit halves: randomBelow of worker/data/random.ts.
fn randomBelow(bits: u32, n: u32) -> u32 {
  let aLow = bits & 0xffffu;
  let aHigh = bits >> 16u;
  let bLow = n & 0xffffu;
  let bHigh = n >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carry = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (carry >> 16u);
}

fn tokenAt(position: u32) -> u32 {
  return (stream[position / TOKENS_PER_WORD] >> (position % TOKENS_PER_WORD * TOKEN_BITS)) & TOKEN_MASK;
}

// The position of the example's target.
fn positionOf(example: u32) -> u32 {
  if step.given == 1u { return positions[step.index * BATCH + example]; }
  return 1u + randomBelow(randomBits(vec4u(SEED, MINIBATCH, step.number, example)), EXAMPLES);
}
`;
}

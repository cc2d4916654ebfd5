/**
 * The minibatch in WGSL: which examples a step trains on, and their targets, as in
 * worker/data/examples.ts. The CPU uploads none of it; each lane draws for itself.
 */
import { exampleCount, type TokenStream } from "../../../data/dataset";
import { STRIDE } from "../../../data/examples";
import { randomBits, Stream } from "../../../data/random";
import type { ExampleTables } from "../examples";
import { Buffers } from "../plan";
import { type Binding, sizes } from "./kernel";

/** Everything that the kernels need to draw examples. */
export interface Drawn {
  readonly stream: TokenStream;
  readonly seed: number;
  readonly tables: ExampleTables | undefined;
}

/** The binding of the tables; none for random order and hard targets. */
export function tablesBinding(tables: ExampleTables | undefined): Binding[] {
  return tables ? [{ buffer: Buffers.examples, name: "examples", type: "array<u32>" }] : [];
}

/** Buffers that the functions of `minibatch` read. */
export function minibatchBindings({ tables }: Drawn): Binding[] {
  return [
    { buffer: Buffers.stream, name: "stream", type: "array<u32>" }, // tokens, packed
    { buffer: Buffers.positions, name: "positions", type: "array<u32>" }, // [steps, BATCH]
    ...tablesBinding(tables),
  ];
}

/** Returns the WGSL functions `exampleOf(row)` and `tokenAt(position)`. */
export function minibatch({ stream, seed, tables }: Drawn): string {
  const { order = "random", soft = false } = tables ?? {};
  return /* wgsl */ `
${sizes({
  SEED: seed,
  MINIBATCH: Stream.minibatch,
  EXAMPLES: tables?.count ?? exampleCount(stream),
  TOKENS_PER_WORD: 4 / stream.BYTES_PER_ELEMENT,
  TOKEN_BITS: 8 * stream.BYTES_PER_ELEMENT,
  TOKEN_MASK: 2 ** (8 * stream.BYTES_PER_ELEMENT) - 1,
  STRIDE,
  OFFSET: randomBits(seed, Stream.minibatch, 0, 0),
  SORTED: tables?.sorted ?? 0,
  RANKS: tables?.ranks ?? 0,
  CONTEXTS: tables?.contexts ?? 0,
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

struct Example {
  position: u32,  // of the target token; its context is before it
  context: u32,   // the context's number, for soft targets
}

fn exampleOf(row: u32) -> Example {
  if step.given == 1u { return Example(positions[step.index * BATCH + row], 0u); }
  ${
    order === "even"
      ? "let bits = (step.number * BATCH + row) * STRIDE + OFFSET;"
      : "let bits = randomBits(vec4u(SEED, MINIBATCH, step.number, row));"
  }
  let index = randomBelow(bits, EXAMPLES);
  ${soft ? OF_CONTEXT : tables ? "return Example(examples[SORTED + index], 0u);" : "return Example(1u + index, 0u);"}
}
`;
}

/**
 * Finds the context of an example: the number of contexts that start before its block of 32 examples, plus those
 * that start in the block up to the example.
 */
const OF_CONTEXT = /* wgsl */ `
  let block = RANKS + index / 32u * 2u;
  let begun = examples[block + 1u] & (0xffffffffu >> (31u - index % 32u));
  let context = examples[block] + countOneBits(begun) - 1u;
  return Example(examples[CONTEXTS + 2u * context], context);`;

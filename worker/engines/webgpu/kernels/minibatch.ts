/**
 * Draws the minibatch and embeds it: `Xb, Yb = Xtr[ix], Ytr[ix]` and `emb = C[Xb]` of the lecture.
 *
 * One lane for each token of each context. The position comes from the keyed PRNG of
 * worker/data/random.ts, and the context is walked off the token stream as `readContext` in
 * worker/data/dataset.ts walks it: back to the last boundary, and boundaries from there.
 */
import { exampleCount, type TokenStream } from "../../../data/dataset";
import { Stream } from "../../../data/random";
import { Buffers, type Plan } from "../plan";
import { type Kernel, STEP, sizes, vec4Array } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function minibatchKernel(plan: Plan, stream: TokenStream, seed: number): Kernel {
  const { chain, batch, dimensions4, tokenRows } = plan;
  const [{ block, x } = plan.head] = plan.blocks;
  return {
    name: "minibatch",
    workgroups: Math.ceil((batch * chain.contextLength) / LANES),
    buffers: [Buffers.stream, Buffers.positions, chain.embedding.weight, Buffers.tokens, Buffers.activations],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> stream: array<u32>;               // tokens, packed
@group(1) @binding(1) var<storage, read> positions: array<u32>;            // [steps, BATCH]
@group(1) @binding(2) var<storage, read> embedding: ${vec4Array(plan, chain.embedding.weight)};  // [vocabulary, DIMENSIONS4]
@group(1) @binding(3) var<storage, read_write> tokens: array<u32>;         // [FOLD, TOKEN_ROWS], [BATCH]
@group(1) @binding(4) var<storage, read_write> activations: ${vec4Array(plan, Buffers.activations)};  // X: [BATCH, CONTEXT, DIMENSIONS4]

${sizes({
  SEED: seed,
  MINIBATCH: Stream.minibatch,
  EXAMPLES: exampleCount(stream),
  TOKENS_A_WORD: 4 / stream.BYTES_PER_ELEMENT,
  TOKEN_BITS: 8 * stream.BYTES_PER_ELEMENT,
  TOKEN_MASK: 2 ** (8 * stream.BYTES_PER_ELEMENT) - 1,
  BATCH: batch,
  CONTEXT: chain.contextLength,
  DIMENSIONS4: dimensions4,
  FOLD: block.fold,
  TOKEN_ROWS: tokenRows,
  X: x,
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
  return (stream[position / TOKENS_A_WORD] >> (position % TOKENS_A_WORD * TOKEN_BITS)) & TOKEN_MASK;
}

fn positionOf(row: u32) -> u32 {
  if step.given == 1u { return positions[step.index * BATCH + row]; }
  return 1u + randomBelow(randomBits(vec4u(SEED, MINIBATCH, step.number, row)), EXAMPLES);
}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= BATCH * CONTEXT { return; }
  let row = id.x / CONTEXT;
  let place = id.x % CONTEXT;
  let position = positionOf(row);
  if place == 0u { tokens[FOLD * TOKEN_ROWS + row] = tokenAt(position); }

  // The token at this place, unless a boundary lies between it and the target.
  var token = 0u;
  for (var back = 1u; back <= CONTEXT - place; back++) {
    token = tokenAt(position - back);
    if token == 0u { break; }
  }
  tokens[id.x % FOLD * TOKEN_ROWS + id.x / FOLD] = token;
  for (var d = 0u; d < DIMENSIONS4; d++) {
    activations[X + id.x * DIMENSIONS4 + d] = embedding[token * DIMENSIONS4 + d];
  }
}
`,
  };
}

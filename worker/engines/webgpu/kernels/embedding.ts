/**
 * The embedding's gradient and its update: what `characterSums` added up goes through the first
 * weight, `demb = dhpreact @ W.T`.
 *
 * A lane owns four numbers of one character's vector. It reads the weight as the step began with
 * it: `update` changes it afterwards.
 */
import type { Optimizer } from "../../optimizer";
import { Buffers, type Plan } from "../plan";
import { type Kernel, learn, STEP, sizes, vec4Array } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function embeddingKernel(plan: Plan, optimizer: Optimizer): Kernel {
  const { chain, dimensions4, embedding, head } = plan;
  const [{ block, fanOut4 } = head] = plan.blocks;
  const adamw = optimizer.type === "adamw";
  return {
    name: "embedding",
    workgroups: Math.ceil((chain.vocabularySize * dimensions4) / LANES),
    buffers: [
      Buffers.characterSums,
      block.weight,
      chain.embedding.weight,
      ...(adamw ? [Buffers.moments] : []),
    ],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> sums: ${vec4Array(plan, Buffers.characterSums)};  // [vocabulary, FOLD, FAN_OUT4]
@group(1) @binding(1) var<storage, read> weight: ${vec4Array(plan, block.weight)};  // [FOLD * DIMENSIONS4 * 4, FAN_OUT4]
@group(1) @binding(2) var<storage, read_write> embedding: ${vec4Array(plan, chain.embedding.weight)};  // [vocabulary, DIMENSIONS4]
${adamw ? `@group(1) @binding(3) var<storage, read_write> moments: ${vec4Array(plan, Buffers.moments)};` : ""}

${sizes({
  NUMBERS4: chain.vocabularySize * dimensions4,
  FOLD: block.fold,
  FAN_OUT4: fanOut4,
  DIMENSIONS4: dimensions4,
  M: embedding.m,
  V: embedding.v,
})}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= NUMBERS4 { return; }
  let d = id.x % DIMENSIONS4;
  let character = id.x / DIMENSIONS4;
  var demb = vec4f();
  for (var place = 0u; place < FOLD; place++) {
    let sum = (character * FOLD + place) * FAN_OUT4;
    let w0 = (place * DIMENSIONS4 + d) * 4u * FAN_OUT4;
    let w1 = w0 + FAN_OUT4;
    let w2 = w1 + FAN_OUT4;
    let w3 = w2 + FAN_OUT4;
    for (var c = 0u; c < FAN_OUT4; c++) {
      demb += sums[sum + c] * mat4x4f(weight[w0 + c], weight[w1 + c], weight[w2 + c], weight[w3 + c]);
    }
  }
  embedding[id.x] = learn(embedding[id.x], demb, M + id.x, V + id.x);
}
${learn(optimizer, "moments")}
`,
  };
}

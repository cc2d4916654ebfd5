/**
 * The embedding's gradient, and its update: the lecture's `dC[ix] += demb[k, j]`.
 *
 * A workgroup owns one character of the vocabulary. Where the character stands in the minibatch
 * at place j of a joined row, the gradient of that row's `hpreact` belongs to it; so the rows are
 * added up first, for each place, and the sums go through `W.T` once: `demb = dhpreact @ W.T` is
 * linear. Every character gathers its own rows, in their order, so no two lanes ever add to the
 * same number, and each run gives the same bits.
 *
 * It reads the first weight as the step began with it: `update` changes it afterwards.
 */
import type { Optimizer } from "../../optimizer";
import { Buffers, type Plan } from "../plan";
import { type Kernel, learn, STEP, sizes } from "./kernel";

const LANES = 64;

/** See the head of this file. */
export function embeddingKernel(plan: Plan, optimizer: Optimizer): Kernel {
  const { chain, dimensions4, embedding } = plan;
  const [first = plan.head] = plan.blocks;
  const adamw = optimizer.type === "adamw";
  return {
    name: "embedding",
    workgroups: chain.vocabularySize,
    buffers: [
      Buffers.activations,
      Buffers.tokens,
      first.block.weight,
      chain.embedding.weight,
      ...(adamw ? [Buffers.moments] : []),
    ],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read> activations: array<vec4f>;        // DHPREACT: [ROWS, FAN_OUT4]
@group(1) @binding(1) var<storage, read> tokens: array<u32>;               // [ROWS, FOLD]
@group(1) @binding(2) var<storage, read> weight: array<vec4f>;             // [FOLD * DIMENSIONS4 * 4, FAN_OUT4]
@group(1) @binding(3) var<storage, read_write> embedding: array<vec4f>;    // [vocabulary, DIMENSIONS4]
${adamw ? "@group(1) @binding(4) var<storage, read_write> moments: array<vec4f>;" : ""}

${sizes({
  LANES,
  ROWS: first.rows,
  FOLD: first.block.fold,
  FAN_OUT4: first.fanOut4,
  DIMENSIONS4: dimensions4,
  DHPREACT: first.gradient,
  M: embedding.m,
  V: embedding.v,
})}

// For LANES vec4s of channels: dhpreact summed over the rows that have the character at a place.
var<workgroup> sums: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let character = group.x;
  for (var firstD = 0u; firstD < DIMENSIONS4; firstD += LANES) {
    let d = firstD + lane;
    var demb = vec4f();
    for (var place = 0u; place < FOLD; place++) {
      for (var firstC = 0u; firstC < FAN_OUT4; firstC += LANES) {
        let c = firstC + lane;
        var sum = vec4f();
        if c < FAN_OUT4 {
          for (var row = 0u; row < ROWS; row++) {
            if tokens[row * FOLD + place] == character { sum += activations[DHPREACT + row * FAN_OUT4 + c]; }
          }
        }
        workgroupBarrier();
        sums[lane] = sum;
        workgroupBarrier();
        if d < DIMENSIONS4 {
          let w = (place * DIMENSIONS4 + d) * 4u * FAN_OUT4 + firstC;
          for (var i = 0u; i < min(LANES, FAN_OUT4 - firstC); i++) {
            demb += sums[i] * mat4x4f(weight[w + i], weight[w + FAN_OUT4 + i], weight[w + 2u * FAN_OUT4 + i], weight[w + 3u * FAN_OUT4 + i]);
          }
        }
      }
    }
    if d < DIMENSIONS4 {
      let at = character * DIMENSIONS4 + d;
      embedding[at] = learn(embedding[at], demb, M + at, V + at);
    }
  }
}
${learn(optimizer, "moments")}
`,
  };
}

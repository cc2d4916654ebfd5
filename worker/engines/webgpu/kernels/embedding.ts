/**
 * The embedding's gradient, and its update: the lecture's `dC[ix] += demb[k, j]`.
 *
 * A workgroup owns one character of the vocabulary. Where the character stands in the minibatch
 * at a place of a joined row, the gradient of that row's `hpreact` belongs to it; so those rows are
 * added up first, for each place, and the sum goes through `W.T` once: `demb = dhpreact @ W.T` is
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

// Which of LANES * 32 rows have the character at a place: a word a lane, a bit a row.
var<workgroup> rows: array<u32, LANES>;
// dhpreact summed over them, for LANES vec4s of channels.
var<workgroup> sums: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let character = group.x;
  for (var firstD = 0u; firstD < DIMENSIONS4; firstD += LANES) {
    let d = firstD + lane;
    var demb = vec4f();
    for (var place = 0u; place < FOLD; place++) {
      for (var firstC = 0u; firstC < FAN_OUT4; firstC += LANES) {
        sums[lane] = sumOfRows(lane, character, place, min(firstC + lane, FAN_OUT4 - 1u));
        workgroupBarrier();
        if d < DIMENSIONS4 {
          let w0 = (place * DIMENSIONS4 + d) * 4u * FAN_OUT4 + firstC;
          let w1 = w0 + FAN_OUT4;
          let w2 = w1 + FAN_OUT4;
          let w3 = w2 + FAN_OUT4;
          for (var i = 0u; i < min(LANES, FAN_OUT4 - firstC); i++) {
            demb += sums[i] * mat4x4f(weight[w0 + i], weight[w1 + i], weight[w2 + i], weight[w3 + i]);
          }
        }
        workgroupBarrier();
      }
    }
    if d < DIMENSIONS4 {
      let at = character * DIMENSIONS4 + d;
      embedding[at] = learn(embedding[at], demb, M + at, V + at);
    }
  }
}

fn sumOfRows(lane: u32, character: u32, place: u32, c: u32) -> vec4f {
  var sum = vec4f();
  for (var first = 0u; first < ROWS; first += LANES * 32u) {
    let own = first + lane * 32u;
    var bits = 0u;
    for (var row = own; row < min(own + 32u, ROWS); row++) {
      bits |= u32(tokens[row * FOLD + place] == character) << (row - own);
    }
    rows[lane] = bits;
    workgroupBarrier();
    for (var word = 0u; word < min(LANES, (ROWS - first + 31u) / 32u); word++) {
      for (var left = rows[word]; left != 0u; left &= left - 1u) {
        let row = first + word * 32u + firstTrailingBit(left);
        sum += activations[DHPREACT + row * FAN_OUT4 + c];
      }
    }
    workgroupBarrier();
  }
  return sum;
}
${learn(optimizer, "moments")}
`,
  };
}

/**
 * A block backward, from the gradient of the next Linear's output to that of its own:
 * `dh = dhpreact_next @ W_next.T`, `dhpreact = (1 - h**2) * dh`, and back through BatchNorm1d.
 *
 * The shape is that of the forward pass: a workgroup owns eight channels for all rows, so the two
 * sums that BatchNorm1d's backward pass needs stay in it, and gamma and beta learn here. A tile is
 * four joined rows of the next block, and one of the FOLD places in them.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { type Kernel, laneShape, learn, STEP, SUM_OVER_ROWS, sizes } from "./kernel";

/** See the head of this file. `next` is the block that reads this one's output. */
export function backwardKernel(plan: BlockPlan, next: BlockPlan, optimizer: Optimizer): Kernel {
  const { block, rows, fanOut4 } = plan;
  const { norm, tanh } = block;
  const tiles = next.block.fold * Math.ceil(next.rows / 4);
  return {
    name: `backward of ${block.weight}`,
    workgroups: fanOut4 / 2,
    buffers: [Buffers.activations, next.block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // NORMALIZED, Y, DHPREACT, NEXT
@group(1) @binding(1) var<storage, read> nextWeight: array<vec4f>;         // [FOLD * FAN_OUT4 * 4, NEXT_OUT4]
@group(1) @binding(2) var<storage, read_write> partials: array<vec4f>;     // [workgroups, PARTS, TILED_ROWS, 2]
${norm ? "@group(1) @binding(3) var<storage, read_write> norm: array<vec4f>;  // rows of NormRow" : ""}

${sizes({
  ...laneShape(tiles),
  ALL_TILES: tiles,
  ROWS: rows,
  TILED_ROWS: tiles * 4,
  FAN_OUT4: fanOut4,
  FOLD: next.block.fold,
  NEXT_ROWS: next.rows,
  NEXT_OUT4: next.fanOut4,
  NORMALIZED: plan.normalized,
  Y: plan.y,
  DHPREACT: plan.gradient,
  NEXT: next.gradient,
})}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x * 2u;
  let part = lane / TILES;
  for (var tile = lane % TILES; tile < ALL_TILES; tile += TILES) {
    // dh = dhpreact_next @ W_next.T: four rows, eight channels, every PARTS-th term
    let place = tile % FOLD;
    let joined = tile / FOLD * 4u;
    let d0 = NEXT + joined * NEXT_OUT4;
    let d1 = NEXT + min(joined + 1u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d2 = NEXT + min(joined + 2u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d3 = NEXT + min(joined + 3u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let w = (place * FAN_OUT4 + channel) * 4u * NEXT_OUT4;
    var left = mat4x4f();
    var right = mat4x4f();
    for (var j = part; j < NEXT_OUT4; j += PARTS) {
      let d = mat4x4f(activations[d0 + j], activations[d1 + j], activations[d2 + j], activations[d3 + j]);
      let w0 = w + j;
      let w1 = w0 + NEXT_OUT4;
      let w2 = w1 + NEXT_OUT4;
      let w3 = w2 + NEXT_OUT4;
      left += transpose(mat4x4f(nextWeight[w0], nextWeight[w1], nextWeight[w2], nextWeight[w3])) * d;
      let w4 = w3 + NEXT_OUT4;
      let w5 = w4 + NEXT_OUT4;
      let w6 = w5 + NEXT_OUT4;
      let w7 = w6 + NEXT_OUT4;
      right += transpose(mat4x4f(nextWeight[w4], nextWeight[w5], nextWeight[w6], nextWeight[w7])) * d;
    }
    for (var i = 0u; i < 4u; i++) {
      let at = partialAt(group.x, part, (joined + i) * FOLD + place, 0u);
      partials[at] = left[i];
      partials[at + 1u] = right[i];
    }
  }
  storageBarrier();

  let side = lane % 2u;
  let c = channel + side;
  var sum = vec4f();
  var sumNormalized = vec4f();
  for (var row = lane / 2u; row < ROWS; row += LANES / 2u) {
    let at = row * FAN_OUT4 + c;
    var dh = vec4f();
    for (var p = 0u; p < PARTS; p++) { dh += partials[partialAt(group.x, p, row, side)]; }
    ${tanh ? "let h = activations[Y + at];" : ""}
    let dhpreact = ${tanh ? "(1 - h * h) * dh" : "dh"};
    activations[DHPREACT + at] = dhpreact;
    sum += dhpreact;
    ${norm ? "sumNormalized += dhpreact * activations[NORMALIZED + at];" : ""}
  }
  ${norm ? BACK_THROUGH_NORM : ""}
}

fn partialAt(group: u32, part: u32, row: u32, side: u32) -> u32 {
  return ((group * PARTS + part) * TILED_ROWS + row) * 2u + side;
}
${norm ? SUM_OVER_ROWS + learn(optimizer, "norm") : ""}
`,
  };
}

/** N - 1, because the forward pass normalises with the unbiased variance. A lane reads what it wrote itself. */
const BACK_THROUGH_NORM = /* wgsl */ `
  let dbeta = sumOverRows(lane, sum);
  let dgamma = sumOverRows(lane, sumNormalized);
  let gammaAt = ${NormRow.gamma}u * FAN_OUT4 + c;
  let betaAt = ${NormRow.beta}u * FAN_OUT4 + c;
  let gamma = norm[gammaAt];
  let scale = gamma * norm[${NormRow.inverseDeviation}u * FAN_OUT4 + c];
  for (var row = lane / 2u; row < ROWS; row += LANES / 2u) {
    let at = row * FAN_OUT4 + c;
    let dbatch = dbeta / f32(ROWS) + activations[NORMALIZED + at] * dgamma / f32(ROWS - 1u);
    activations[DHPREACT + at] = scale * (activations[DHPREACT + at] - dbatch);
  }
  // Every lane has read gamma before the first ones change it.
  storageBarrier();
  if lane < 2u {
    norm[gammaAt] = learn(gamma, dgamma, ${NormRow.gammaM}u * FAN_OUT4 + c, ${NormRow.gammaV}u * FAN_OUT4 + c);
    norm[betaAt] = learn(norm[betaAt], dbeta, ${NormRow.betaM}u * FAN_OUT4 + c, ${NormRow.betaV}u * FAN_OUT4 + c);
  }
`;

/**
 * A block backward, from the gradient of the next Linear's output to that of its own:
 * `dh = dhpreact_next @ W_next.T`, `dhpreact = (1 - h**2) * dh`, and back through BatchNorm1d.
 *
 * The shape is that of the forward pass: a workgroup owns four channels for all rows, so the two
 * sums that BatchNorm1d's backward pass needs stay in it, and gamma and beta learn here.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { type Kernel, laneShape, learn, STEP, sizes, sumOverLanes } from "./kernel";

/** See the head of this file. `next` is the block that reads this one's output. */
export function backwardKernel(plan: BlockPlan, next: BlockPlan, optimizer: Optimizer): Kernel {
  const { block, rows, fanOut4 } = plan;
  const { norm } = block;
  const tiles = next.block.fold * Math.ceil(next.rows / 4);
  const lanes = laneShape(tiles);
  return {
    name: `backward of ${block.weight}`,
    workgroups: fanOut4,
    buffers: [Buffers.activations, next.block.weight, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // NORMALIZED, Y, DHPREACT, NEXT
@group(1) @binding(1) var<storage, read> nextWeight: array<vec4f>;         // [FOLD * FAN_OUT4 * 4, NEXT_OUT4]
${norm ? "@group(1) @binding(2) var<storage, read_write> norm: array<vec4f>;  // NormRow: [9, FAN_OUT4]" : ""}

${sizes({
  ...lanes,
  ALL_TILES: tiles,
  ROWS: rows,
  FAN_OUT4: fanOut4,
  FOLD: next.block.fold,
  NEXT_ROWS: next.rows,
  NEXT_OUT4: next.fanOut4,
  NORMALIZED: plan.normalized,
  Y: plan.y,
  DHPREACT: plan.gradient,
  NEXT: next.gradient,
})}

// What each lane adds to its tile: four joined rows, at the same one of their FOLD places.
var<workgroup> terms: array<vec4f, 4 * LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let part = lane / TILES;
  var sum = vec4f();
  var sumNormalized = vec4f();
  for (var first = 0u; first < ALL_TILES; first += TILES) {
    // dh = dhpreact_next @ W_next.T
    let tile = min(first + lane % TILES, ALL_TILES - 1u);
    let place = tile % FOLD;
    let joined = tile / FOLD * 4u;
    let d0 = NEXT + joined * NEXT_OUT4;
    let d1 = NEXT + min(joined + 1u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d2 = NEXT + min(joined + 2u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d3 = NEXT + min(joined + 3u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let w0 = (place * FAN_OUT4 + channel) * 4u * NEXT_OUT4;
    var dh0 = vec4f();
    var dh1 = vec4f();
    var dh2 = vec4f();
    var dh3 = vec4f();
    for (var j = part; j < NEXT_OUT4; j += PARTS) {
      let at = w0 + j;
      let w = mat4x4f(nextWeight[at], nextWeight[at + NEXT_OUT4], nextWeight[at + 2u * NEXT_OUT4], nextWeight[at + 3u * NEXT_OUT4]);
      dh0 += activations[d0 + j] * w;
      dh1 += activations[d1 + j] * w;
      dh2 += activations[d2 + j] * w;
      dh3 += activations[d3 + j] * w;
    }
    terms[lane * 4u] = dh0;
    terms[lane * 4u + 1u] = dh1;
    terms[lane * 4u + 2u] = dh2;
    terms[lane * 4u + 3u] = dh3;
    workgroupBarrier();
    for (var r = lane; r < 4u * TILES; r += LANES) {
      let t = first + r / 4u;
      let joinedRow = t / FOLD * 4u + r % 4u;
      if t < ALL_TILES && joinedRow < NEXT_ROWS {
        let row = joinedRow * FOLD + t % FOLD;
        var dh = vec4f();
        for (var p = 0u; p < PARTS; p++) { dh += terms[p * 4u * TILES + r]; }
        ${block.tanh ? "let h = activations[Y + row * FAN_OUT4 + channel];\n        let dhpreact = (1 - h * h) * dh;" : "let dhpreact = dh;"}
        activations[DHPREACT + row * FAN_OUT4 + channel] = dhpreact;
        ${norm ? "sum += dhpreact;\n        sumNormalized += dhpreact * activations[NORMALIZED + row * FAN_OUT4 + channel];" : ""}
      }
    }
    workgroupBarrier();
  }
${
  norm
    ? /* wgsl */ `
  // Back through BatchNorm1d: N - 1, because it normalises with the unbiased variance.
  let dbeta = sumOverLanes(lane, sum);
  let dgamma = sumOverLanes(lane, sumNormalized);
  storageBarrier();
  let gammaAt = ${NormRow.gamma}u * FAN_OUT4 + channel;
  let betaAt = ${NormRow.beta}u * FAN_OUT4 + channel;
  let gamma = norm[gammaAt];
  let scale = gamma * norm[${NormRow.inverseDeviation}u * FAN_OUT4 + channel];
  for (var row = lane; row < ROWS; row += LANES) {
    let at = row * FAN_OUT4 + channel;
    let normalized = activations[NORMALIZED + at];
    activations[DHPREACT + at] = scale * (activations[DHPREACT + at]
      - dbeta / f32(ROWS) - normalized * dgamma / f32(ROWS - 1u));
  }
  // Every lane has read gamma before the first one changes it.
  storageBarrier();
  if lane == 0u {
    norm[gammaAt] = learn(gamma, dgamma, ${NormRow.gammaM}u * FAN_OUT4 + channel, ${NormRow.gammaV}u * FAN_OUT4 + channel);
    norm[betaAt] = learn(norm[betaAt], dbeta, ${NormRow.betaM}u * FAN_OUT4 + channel, ${NormRow.betaV}u * FAN_OUT4 + channel);
  }`
    : ""
}
}
${norm ? sumOverLanes(lanes.LANES) + learn(optimizer, "norm") : ""}
`,
  };
}

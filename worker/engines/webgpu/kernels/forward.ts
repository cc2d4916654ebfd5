/**
 * A block forward: `hpreact = x @ W + b`, BatchNorm1d, `h = tanh(hpreact)`.
 *
 * A workgroup owns four channels, one vec4, for all rows of the minibatch. So the mean and the
 * variance of a channel never leave the workgroup, and one kernel does the whole block. Its lanes
 * divide the rows into tiles of four; where there are fewer tiles than lanes, several lanes share
 * the sum of a tile.
 */
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { float, type Kernel, laneShape, STEP, sizes, sumOverLanes } from "./kernel";

/** See the head of this file. */
export function forwardKernel(plan: BlockPlan): Kernel {
  const { block, rows, fanIn4, fanOut4 } = plan;
  const lanes = laneShape(Math.ceil(rows / 4));
  return {
    name: `forward of ${block.weight}`,
    workgroups: fanOut4,
    buffers: [Buffers.activations, block.weight, ...(block.norm ? [block.norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // X, NORMALIZED and Y
@group(1) @binding(1) var<storage, read> weight: array<vec4f>;             // [FAN_IN4 * 4, FAN_OUT4], bias
${block.norm ? "@group(1) @binding(2) var<storage, read_write> norm: array<vec4f>;  // NormRow: [9, FAN_OUT4]" : ""}

${sizes({
  ...lanes,
  ROWS: rows,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  X: plan.x,
  NORMALIZED: plan.normalized,
  Y: plan.y,
})}

// What each lane adds to its tile of four rows.
var<workgroup> terms: array<vec4f, 4 * LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x;
  let part = lane / TILES;
  var sum = vec4f();
  for (var first = 0u; first < ROWS; first += 4u * TILES) {
    // hpreact = x @ W, a tile of four rows at a time
    let row = first + lane % TILES * 4u;
    let x0 = X + min(row, ROWS - 1u) * FAN_IN4;
    let x1 = X + min(row + 1u, ROWS - 1u) * FAN_IN4;
    let x2 = X + min(row + 2u, ROWS - 1u) * FAN_IN4;
    let x3 = X + min(row + 3u, ROWS - 1u) * FAN_IN4;
    var h0 = vec4f();
    var h1 = vec4f();
    var h2 = vec4f();
    var h3 = vec4f();
    for (var k = part; k < FAN_IN4; k += PARTS) {
      let at = k * 4u * FAN_OUT4 + channel;
      let w = mat4x4f(weight[at], weight[at + FAN_OUT4], weight[at + 2u * FAN_OUT4], weight[at + 3u * FAN_OUT4]);
      h0 += w * activations[x0 + k];
      h1 += w * activations[x1 + k];
      h2 += w * activations[x2 + k];
      h3 += w * activations[x3 + k];
    }
    terms[lane * 4u] = h0;
    terms[lane * 4u + 1u] = h1;
    terms[lane * 4u + 2u] = h2;
    terms[lane * 4u + 3u] = h3;
    workgroupBarrier();
    for (var r = lane; r < 4u * TILES && first + r < ROWS; r += LANES) {
      var hpreact = ${block.bias ? "weight[FAN_IN4 * 4u * FAN_OUT4 + channel]" : "vec4f()"};
      for (var p = 0u; p < PARTS; p++) { hpreact += terms[p * 4u * TILES + r]; }
      ${block.norm ? "activations[NORMALIZED + (first + r) * FAN_OUT4 + channel] = hpreact;" : "activations[Y + (first + r) * FAN_OUT4 + channel] = activate(hpreact);"}
      sum += hpreact;
    }
    workgroupBarrier();
  }
${
  block.norm
    ? /* wgsl */ `
  // BatchNorm1d over all rows, with the unbiased variance. A lane reads only what it wrote itself.
  let mean = sumOverLanes(lane, sum) / f32(ROWS);
  var squares = vec4f();
  for (var row = lane; row < ROWS; row += LANES) {
    let difference = activations[NORMALIZED + row * FAN_OUT4 + channel] - mean;
    squares += difference * difference;
  }
  let variance = sumOverLanes(lane, squares) / f32(ROWS - 1u);
  let inverseDeviation = inverseSqrt(variance + ${float(block.norm.epsilon)});
  let gamma = norm[${NormRow.gamma}u * FAN_OUT4 + channel];
  let beta = norm[${NormRow.beta}u * FAN_OUT4 + channel];
  for (var row = lane; row < ROWS; row += LANES) {
    let at = row * FAN_OUT4 + channel;
    let normalized = (activations[NORMALIZED + at] - mean) * inverseDeviation;
    activations[NORMALIZED + at] = normalized;
    activations[Y + at] = activate(gamma * normalized + beta);
  }
  if lane == 0u {
    norm[${NormRow.inverseDeviation}u * FAN_OUT4 + channel] = inverseDeviation;
    let runningMean = ${NormRow.runningMean}u * FAN_OUT4 + channel;
    let runningVariance = ${NormRow.runningVariance}u * FAN_OUT4 + channel;
    norm[runningMean] = ${float(1 - block.norm.momentum)} * norm[runningMean] + ${float(block.norm.momentum)} * mean;
    norm[runningVariance] = ${float(1 - block.norm.momentum)} * norm[runningVariance] + ${float(block.norm.momentum)} * variance;
  }`
    : ""
}
}

fn activate(x: vec4f) -> vec4f {
  // Some drivers make tanh from exp, which overflows; beyond 15 a float32 tanh is 1 anyway.
  return ${block.tanh ? "tanh(clamp(x, vec4f(-15), vec4f(15)))" : "x"};
}
${block.norm ? sumOverLanes(lanes.LANES) : ""}
`,
  };
}

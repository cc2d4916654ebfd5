/**
 * A block forward: `hpreact = x @ W + b`, BatchNorm1d, `h = tanh(hpreact)`.
 *
 * A workgroup owns eight channels, two vec4s, for all rows of the minibatch. So the mean and the
 * variance of a channel never leave the workgroup, and one kernel does the whole block. Its lanes
 * first divide the product into tiles of four rows; where there are fewer tiles than lanes, several
 * share the sum of a tile. Then each lane takes whole rows of one of the two vec4s.
 */
import type { Block } from "../../../model/blocks";
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { float, type Kernel, laneShape, STEP, SUM_OVER_ROWS, sizes } from "./kernel";

/** See the head of this file. */
export function forwardKernel(plan: BlockPlan): Kernel {
  const { block, rows, fanIn4, fanOut4 } = plan;
  const { norm, bias } = block;
  return {
    name: `forward of ${block.weight}`,
    workgroups: fanOut4 / 2,
    buffers: [Buffers.activations, block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // X, NORMALIZED and Y
@group(1) @binding(1) var<storage, read> weight: array<vec4f>;             // [FAN_IN4 * 4, FAN_OUT4], bias
@group(1) @binding(2) var<storage, read_write> partials: array<vec4f>;     // [workgroups, PARTS, TILED_ROWS, 2]
${norm ? "@group(1) @binding(3) var<storage, read_write> norm: array<vec4f>;  // rows of NormRow" : ""}

${sizes({
  ...laneShape(Math.ceil(rows / 4)),
  ROWS: rows,
  TILED_ROWS: Math.ceil(rows / 4) * 4,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  X: plan.x,
  NORMALIZED: plan.normalized,
  Y: plan.y,
})}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x * 2u;
  let part = lane / TILES;
  for (var row = lane % TILES * 4u; row < ROWS; row += TILES * 4u) {
    // hpreact = x @ W: four rows, eight channels, every PARTS-th term
    let x0 = X + row * FAN_IN4;
    let x1 = X + min(row + 1u, ROWS - 1u) * FAN_IN4;
    let x2 = X + min(row + 2u, ROWS - 1u) * FAN_IN4;
    let x3 = X + min(row + 3u, ROWS - 1u) * FAN_IN4;
    var left = mat4x4f();
    var right = mat4x4f();
    for (var k = part; k < FAN_IN4; k += PARTS) {
      let x = mat4x4f(activations[x0 + k], activations[x1 + k], activations[x2 + k], activations[x3 + k]);
      let w0 = k * 4u * FAN_OUT4 + channel;
      let w1 = w0 + FAN_OUT4;
      let w2 = w1 + FAN_OUT4;
      let w3 = w2 + FAN_OUT4;
      left += mat4x4f(weight[w0], weight[w1], weight[w2], weight[w3]) * x;
      right += mat4x4f(weight[w0 + 1u], weight[w1 + 1u], weight[w2 + 1u], weight[w3 + 1u]) * x;
    }
    let at = partialAt(group.x, part, row, 0u);
    partials[at] = left[0];
    partials[at + 1u] = right[0];
    partials[at + 2u] = left[1];
    partials[at + 3u] = right[1];
    partials[at + 4u] = left[2];
    partials[at + 5u] = right[2];
    partials[at + 6u] = left[3];
    partials[at + 7u] = right[3];
  }
  storageBarrier();

  let side = lane % 2u;
  let c = channel + side;
  ${bias ? "let bias = weight[FAN_IN4 * 4u * FAN_OUT4 + c];" : ""}
  var sum = vec4f();
  for (var row = lane / 2u; row < ROWS; row += LANES / 2u) {
    var hpreact = ${bias ? "bias" : "vec4f()"};
    for (var p = 0u; p < PARTS; p++) { hpreact += partials[partialAt(group.x, p, row, side)]; }
    activations[${norm ? "NORMALIZED" : "Y"} + row * FAN_OUT4 + c] = ${norm ? "hpreact" : "activate(hpreact)"};
    sum += hpreact;
  }
  ${norm ? normalize(norm) : ""}
}

fn partialAt(group: u32, part: u32, row: u32, side: u32) -> u32 {
  return ((group * PARTS + part) * TILED_ROWS + row) * 2u + side;
}

fn activate(x: vec4f) -> vec4f {
  // Some drivers make tanh of exp, which overflows; beyond 15 a float32 tanh is 1 anyway.
  return ${block.tanh ? "tanh(clamp(x, vec4f(-15), vec4f(15)))" : "x"};
}
${norm ? SUM_OVER_ROWS : ""}
`,
  };
}

/**
 * BatchNorm1d over all rows, with the unbiased variance, and the running statistics. A lane reads
 * what it wrote itself.
 */
function normalize({ momentum, epsilon }: NonNullable<Block["norm"]>): string {
  return /* wgsl */ `
  let mean = sumOverRows(lane, sum) / f32(ROWS);
  var squares = vec4f();
  for (var row = lane / 2u; row < ROWS; row += LANES / 2u) {
    let difference = activations[NORMALIZED + row * FAN_OUT4 + c] - mean;
    squares += difference * difference;
  }
  let variance = sumOverRows(lane, squares) / f32(ROWS - 1u);
  let inverseDeviation = inverseSqrt(variance + ${float(epsilon)});
  let gamma = norm[${NormRow.gamma}u * FAN_OUT4 + c];
  let beta = norm[${NormRow.beta}u * FAN_OUT4 + c];
  for (var row = lane / 2u; row < ROWS; row += LANES / 2u) {
    let at = row * FAN_OUT4 + c;
    let normalized = (activations[NORMALIZED + at] - mean) * inverseDeviation;
    activations[NORMALIZED + at] = normalized;
    activations[Y + at] = activate(gamma * normalized + beta);
  }
  if lane < 2u {
    let runningMean = ${NormRow.runningMean}u * FAN_OUT4 + c;
    let runningVariance = ${NormRow.runningVariance}u * FAN_OUT4 + c;
    norm[runningMean] = ${float(1 - momentum)} * norm[runningMean] + ${float(momentum)} * mean;
    norm[runningVariance] = ${float(1 - momentum)} * norm[runningVariance] + ${float(momentum)} * variance;
    norm[${NormRow.inverseDeviation}u * FAN_OUT4 + c] = inverseDeviation;
  }
`;
}

/**
 * A block forward: `hpreact = x @ W + b`, BatchNorm1d, `h = tanh(hpreact)`.
 *
 * A workgroup owns sixteen channels, four vec4s, for all rows of the minibatch: a cache line of each
 * row of the weight. So the mean and the variance of a channel never leave the workgroup, and one
 * kernel does the whole block. Its lanes first divide the product into tiles of eight rows by eight
 * channels; where there are fewer tiles than lanes, several share the sum of a tile. Then each lane
 * takes whole rows of one of the four vec4s.
 */
import type { Block } from "../../../model/blocks";
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { float, type Kernel, laneShape, PARTIALS, STEP, sizes } from "./kernel";

/** See the head of this file. */
export function forwardKernel(plan: BlockPlan): Kernel {
  const { block, rows, fanIn4, fanOut4 } = plan;
  const { norm, bias } = block;
  return {
    name: `forward of ${block.weight}`,
    workgroups: Math.ceil(fanOut4 / 4),
    buffers: [Buffers.activations, block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // X, NORMALIZED and Y
@group(1) @binding(1) var<storage, read> weight: array<vec4f>;             // [FAN_IN4 * 4, FAN_OUT4], bias
@group(1) @binding(2) var<storage, read_write> partials: array<vec4f>;     // see PARTIALS
${norm ? "@group(1) @binding(3) var<storage, read_write> norm: array<vec4f>;  // rows of NormRow" : ""}

${sizes({
  ...laneShape(Math.ceil(rows / 8)),
  ROWS: rows,
  TILED_ROWS: Math.ceil(rows / 8) * 8,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  X: plan.x,
  NORMALIZED: plan.normalized,
  Y: plan.y,
  ...NormRow,
})}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x * 4u + lane % 2u * 2u;
  let part = lane / 2u / TILES;
  for (var row = lane / 2u % TILES * 8u; row < ROWS && channel < FAN_OUT4; row += TILES * 8u) {
    // hpreact = x @ W: eight rows, eight channels, every PARTS-th term
    let x0 = X + row * FAN_IN4;
    let x1 = X + min(row + 1u, ROWS - 1u) * FAN_IN4;
    let x2 = X + min(row + 2u, ROWS - 1u) * FAN_IN4;
    let x3 = X + min(row + 3u, ROWS - 1u) * FAN_IN4;
    let x4 = X + min(row + 4u, ROWS - 1u) * FAN_IN4;
    let x5 = X + min(row + 5u, ROWS - 1u) * FAN_IN4;
    let x6 = X + min(row + 6u, ROWS - 1u) * FAN_IN4;
    let x7 = X + min(row + 7u, ROWS - 1u) * FAN_IN4;
    var upperLeft = mat4x4f();
    var upperRight = mat4x4f();
    var lowerLeft = mat4x4f();
    var lowerRight = mat4x4f();
    for (var k = part; k < FAN_IN4; k += PARTS) {
      let upper = mat4x4f(activations[x0 + k], activations[x1 + k], activations[x2 + k], activations[x3 + k]);
      let lower = mat4x4f(activations[x4 + k], activations[x5 + k], activations[x6 + k], activations[x7 + k]);
      let w0 = k * 4u * FAN_OUT4 + channel;
      let w1 = w0 + FAN_OUT4;
      let w2 = w1 + FAN_OUT4;
      let w3 = w2 + FAN_OUT4;
      let left = mat4x4f(weight[w0], weight[w1], weight[w2], weight[w3]);
      let right = mat4x4f(weight[w0 + 1u], weight[w1 + 1u], weight[w2 + 1u], weight[w3 + 1u]);
      upperLeft += left * upper;
      upperRight += right * upper;
      lowerLeft += left * lower;
      lowerRight += right * lower;
    }
    for (var i = 0u; i < 4u; i++) {
      let upperAt = partialAt(group.x, part, row + i, channel % 4u);
      let lowerAt = partialAt(group.x, part, row + i + 4u, channel % 4u);
      partials[upperAt] = upperLeft[i];
      partials[upperAt + 1u] = upperRight[i];
      partials[lowerAt] = lowerLeft[i];
      partials[lowerAt + 1u] = lowerRight[i];
    }
  }
  storageBarrier();

  let c = group.x * 4u + lane % 4u;
  ${norm ? NORMALIZE_BEGIN : ""}
  for (var row = lane / 4u; row < ROWS && c < FAN_OUT4; row += LANES / 4u) {
    let hpreact = hpreactAt(group.x, row, c);
    ${norm ? "activations[NORMALIZED + row * FAN_OUT4 + c] = hpreact;" : "activations[Y + row * FAN_OUT4 + c] = activate(hpreact);"}
    ${norm ? "own.first += hpreact - origin;\n    own.second += (hpreact - origin) * (hpreact - origin);" : ""}
  }
  ${norm ? normalize(norm) : ""}
}

fn hpreactAt(group: u32, row: u32, c: u32) -> vec4f {
  var hpreact = ${bias ? "weight[FAN_IN4 * 4u * FAN_OUT4 + c]" : "vec4f()"};
  for (var part = 0u; part < PARTS; part++) { hpreact += partials[partialAt(group, part, row, c % 4u)]; }
  return hpreact;
}

fn activate(x: vec4f) -> vec4f {
  // Some drivers make tanh of exp, which overflows; beyond 15 a float32 tanh is 1 anyway.
  return ${block.tanh ? "tanh(clamp(x, vec4f(-15), vec4f(15)))" : "x"};
}
${PARTIALS}
`,
  };
}

/**
 * A variance about the mean takes a second walk over the rows; about a value among them it takes
 * one, and loses no more digits than the number of rows has.
 */
const NORMALIZE_BEGIN = /* wgsl */ `
  let origin = hpreactAt(group.x, 0u, c);
  var own = Sums();
`;

/**
 * BatchNorm1d over all rows, with the unbiased variance, and the running statistics. A lane reads
 * the rows that it wrote itself.
 */
function normalize({ momentum, epsilon }: NonNullable<Block["norm"]>): string {
  return /* wgsl */ `
  let sums = sumOverRows(group.x, lane, own);
  let mean = origin + sums.first / f32(ROWS);
  let variance = max(vec4f(), sums.second - sums.first * sums.first / f32(ROWS)) / f32(ROWS - 1u);
  let inverseDeviation = inverseSqrt(variance + ${float(epsilon)});
  let gamma = norm[GAMMA * FAN_OUT4 + c];
  let beta = norm[BETA * FAN_OUT4 + c];
  for (var row = lane / 4u; row < ROWS && c < FAN_OUT4; row += LANES / 4u) {
    let at = row * FAN_OUT4 + c;
    let normalized = (activations[NORMALIZED + at] - mean) * inverseDeviation;
    activations[NORMALIZED + at] = normalized;
    activations[Y + at] = activate(gamma * normalized + beta);
  }
  if lane < 4u && c < FAN_OUT4 {
    let runningMean = RUNNING_MEAN * FAN_OUT4 + c;
    let runningVariance = RUNNING_VARIANCE * FAN_OUT4 + c;
    norm[runningMean] = ${float(1 - momentum)} * norm[runningMean] + ${float(momentum)} * mean;
    norm[runningVariance] = ${float(1 - momentum)} * norm[runningVariance] + ${float(momentum)} * variance;
    norm[INVERSE_DEVIATION * FAN_OUT4 + c] = inverseDeviation;
  }
`;
}

/**
 * A block forward: `hpreact = x @ W + b`, BatchNorm1d, `h = tanh(hpreact)`.
 *
 * A workgroup owns one or two vec4s of channels, for all rows of the minibatch. So the mean and the
 * variance of a channel never leave the workgroup, and one kernel does the whole block. How its lanes
 * work together: lanes.ts.
 */
import type { Block } from "../../../model/blocks";
import { type BlockPlan, Buffers, NormRow, type Plan } from "../plan";
import { float, type Kernel, sizes, vec4Array } from "./kernel";
import { columnKernel, each, fourRows, header, laneShape } from "./lanes";

/** See the head of this file. */
export function forwardKernel(plan: Plan, level: BlockPlan, subgroups: boolean): Kernel {
  const { block, rows, fanIn4, fanOut4, x, normalized, y } = level;
  const { norm, bias, tanh } = block;
  const shape = laneShape(Math.ceil(rows / 4), fanIn4);
  const { VECS } = shape;
  return {
    name: `forward of ${block.weight}`,
    workgroups: fanOut4 / VECS,
    buffers: [Buffers.activations, block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${header(subgroups)}
// X: [ROWS, FAN_IN4], NORMALIZED and Y: [ROWS, FAN_OUT4]
@group(1) @binding(0) var<storage, read_write> activations: ${vec4Array(plan, Buffers.activations)};
// [FAN_IN4 * 4, FAN_OUT4], then the bias
@group(1) @binding(1) var<storage, read> weight: ${vec4Array(plan, block.weight)};
@group(1) @binding(2) var<storage, read_write> partials: ${vec4Array(plan, Buffers.partials)};
${
  norm
    ? `// rows of NormRow
@group(1) @binding(3) var<storage, read_write> norm: ${vec4Array(plan, norm.gamma)};`
    : ""
}

${sizes({
  ...shape,
  ROWS: rows,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  X: x,
  NORMALIZED: normalized,
  Y: y,
  ...NormRow,
})}
${columnKernel({
  subgroups,
  shape,
  product: product(VECS),
  take: take(norm !== undefined, bias !== undefined),
  end: norm ? normalize(norm) : "",
})}
fn activate(x: vec4f) -> vec4f {
  // Some drivers make tanh of exp, which overflows; beyond 15 a float32 tanh is 1 anyway.
  return ${tanh ? "tanh(clamp(x, vec4f(-15), vec4f(15)))" : "x"};
}
${fourRows("weightRows", "weight", subgroups)}`,
  };
}

/** `x @ W`: four rows, the channels of the workgroup, every PARTS-th term. */
function product(vecs: number): string {
  return /* wgsl */ `
    let row = top + lane % TILES * 4u;
    let x0 = X + min(row, ROWS - 1u) * FAN_IN4;
    let x1 = X + min(row + 1u, ROWS - 1u) * FAN_IN4;
    let x2 = X + min(row + 2u, ROWS - 1u) * FAN_IN4;
    let x3 = X + min(row + 3u, ROWS - 1u) * FAN_IN4;
    ${each(vecs, (v) => `var product${v} = mat4x4f();`)}
    for (var i = 0u; i < FAN_IN4 / PARTS; i++) {
      let k = i * PARTS + part;
      let x = mat4x4f(activations[x0 + k], activations[x1 + k], activations[x2 + k], activations[x3 + k]);
      let w = k * 4u * FAN_OUT4 + group.x * VECS;
      ${each(vecs, (v) => `product${v} += weightRows(w + ${v}u, FAN_OUT4, lane) * x;`)}
    }
`;
}

function take(norm: boolean, bias: boolean): string {
  const hpreact = `takeRow(group.x, v, i)${bias ? " + weight[FAN_IN4 * 4u * FAN_OUT4 + c]" : ""}`;
  return /* wgsl */ `
        let row = top + i;
        if row >= ROWS { break; }
        let hpreact = ${hpreact};
        ${
          norm
            ? "activations[NORMALIZED + row * FAN_OUT4 + c] = hpreact;"
            : "activations[Y + row * FAN_OUT4 + c] = activate(hpreact);"
        }
`;
}

/**
 * BatchNorm1d over all rows, with the unbiased variance, and the running statistics. A worker reads the
 * rows that it wrote itself.
 */
function normalize({ momentum, epsilon }: NonNullable<Block["norm"]>): string {
  return /* wgsl */ `
      let column = NORMALIZED + c;
      var own = Sums();
      for (var row = worker; row < ROWS; row += workers) { own.first += activations[column + row * FAN_OUT4]; }
      let mean = sumOverRows(group.x, 2u * v, worker, own).first / f32(ROWS);
      for (var row = worker; row < ROWS; row += workers) {
        let deviation = activations[column + row * FAN_OUT4] - mean;
        own.second += deviation * deviation;
      }
      let variance = sumOverRows(group.x, 2u * v + 1u, worker, own).second / f32(ROWS - 1u);
      let inverseDeviation = inverseSqrt(variance + ${float(epsilon)});
      let gamma = norm[GAMMA * FAN_OUT4 + c];
      let beta = norm[BETA * FAN_OUT4 + c];
      for (var row = worker; row < ROWS; row += workers) {
        let normalized = (activations[column + row * FAN_OUT4] - mean) * inverseDeviation;
        activations[column + row * FAN_OUT4] = normalized;
        activations[Y + row * FAN_OUT4 + c] = activate(gamma * normalized + beta);
      }
      if worker == 0u {
        let runningMean = RUNNING_MEAN * FAN_OUT4 + c;
        let runningVariance = RUNNING_VARIANCE * FAN_OUT4 + c;
        norm[runningMean] = ${float(1 - momentum)} * norm[runningMean] + ${float(momentum)} * mean;
        norm[runningVariance] = ${float(1 - momentum)} * norm[runningVariance] + ${float(momentum)} * variance;
        norm[SCALE * FAN_OUT4 + c] = gamma * inverseDeviation;
      }
`;
}

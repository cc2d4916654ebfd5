/** BatchNorm1d and Tanh, forward and backward, on the rows that each lane of a workgroup has. */
import type { Optimizer } from "../../../optimizers";
import type { BlockPlan, Plan } from "../plan";
import { type Binding, float, vec4Array } from "./kernel";
import { learn } from "./learn";
import { eachRow, type Held } from "./workgroup";

/** The binding of the norm's buffer, which has the rows of `NormRow`. */
export function normBinding(plan: Plan, { block: { norm } }: BlockPlan): Binding[] {
  return norm ? [{ buffer: norm.gamma, name: "norm", type: vec4Array(plan, norm.gamma), write: true }] : [];
}

/** Reads the norm's values for `forwardNorm` at the start of a kernel, so that nothing waits for them later. */
export function readNorm({ block: { norm } }: BlockPlan): string {
  return norm
    ? /* wgsl */ `
  let gamma = norm[GAMMA * FAN_OUT4 + c];
  let beta = norm[BETA * FAN_OUT4 + c];
  let runningMean = norm[RUNNING_MEAN * FAN_OUT4 + c];
  let runningVariance = norm[RUNNING_VARIANCE * FAN_OUT4 + c];`
    : "";
}

/** Turns `hpreact` in `h` into the level's output, and stores it. The variance is unbiased, as in the lecture. */
export function forwardNorm({ block: { norm } }: BlockPlan, h: Held): string {
  if (!norm)
    return eachRow(/* wgsl */ `
      ${h.value} = activate(${h.value});
      ${h.store}`);
  const { momentum, epsilon } = norm;
  return /* wgsl */ `
  var sum = vec4f();
  ${eachRow(`sum += ${h.value};`)}
  let mean = sumOverLanes(lane, sum) / f32(ROWS);
  var squares = vec4f();
  ${eachRow(/* wgsl */ `
      let centred = ${h.value} - mean;
      squares += centred * centred;`)}
  let variance = sumOverLanes(lane, squares) / f32(ROWS - 1u);
  let inverseDeviation = inverseSqrt(variance + ${float(epsilon)});
  ${eachRow(/* wgsl */ `
      let normalized = (${h.value} - mean) * inverseDeviation;
      activations[NORMALIZED + row * FAN_OUT4 + c] = normalized;
      ${h.value} = activate(gamma * normalized + beta);
      ${h.store}`)}
  if lane == 0u {
    norm[RUNNING_MEAN * FAN_OUT4 + c] = ${float(1 - momentum)} * runningMean + ${float(momentum)} * mean;
    norm[RUNNING_VARIANCE * FAN_OUT4 + c] = ${float(1 - momentum)} * runningVariance + ${float(momentum)} * variance;
    norm[SCALE * FAN_OUT4 + c] = gamma * inverseDeviation;
  }`;
}

/** The function `activate` that `forwardNorm` calls. */
export function activation({ block: { tanh } }: BlockPlan): string {
  return /* wgsl */ `
fn activate(x: vec4f) -> vec4f {
  // Some drivers compute tanh with exp, which overflows; beyond 15 a float32 tanh is 1 anyway.
  return ${tanh ? "tanh(clamp(x, vec4f(-15), vec4f(15)))" : "x"};
}
`;
}

/** Reads each row's values for `backwardNorm` at the start of a kernel, so that nothing waits for them later. */
export function readForward({ block: { norm, tanh } }: BlockPlan, normalized: Held, y: Held): string {
  return /* wgsl */ `
  ${norm ? `let scale = norm[SCALE * FAN_OUT4 + c];\n  ${normalized.declare}` : ""}
  ${tanh ? y.declare : ""}
  ${norm || tanh ? eachRow(`${norm ? normalized.load : ""}\n      ${tanh ? y.load : ""}`) : ""}`;
}

/**
 * Turns the gradient of the level's output, in `h`, into that of its `hpreact`, and trains gamma and beta.
 * It divides by N - 1, because the forward pass normalises with the unbiased variance.
 */
export function backwardNorm(
  { block: { norm, tanh } }: BlockPlan,
  h: Held,
  normalized: Held,
  y: Held,
): string {
  const throughTanh = tanh ? `${h.value} *= 1 - ${y.value} * ${y.value};` : "";
  if (!norm) return eachRow(`${throughTanh}\n      ${h.store}`);
  return /* wgsl */ `
  var own = Sums();
  ${eachRow(/* wgsl */ `
      ${throughTanh}
      own.first += ${h.value};
      own.second += ${h.value} * ${normalized.value};`)}
  let sums = sumsOverLanes(lane, own);
  ${eachRow(/* wgsl */ `
      ${h.value} = scale * (${h.value} - (sums.first / f32(ROWS) + ${normalized.value} * sums.second / f32(ROWS - 1u)));
      ${h.store}`)}
  if lane == 0u {
    let gamma = GAMMA * FAN_OUT4 + c;
    let beta = BETA * FAN_OUT4 + c;
    norm[gamma] = learnNorm(norm[gamma], sums.second, GAMMA_M * FAN_OUT4 + c, GAMMA_V * FAN_OUT4 + c);
    norm[beta] = learnNorm(norm[beta], sums.first, BETA_M * FAN_OUT4 + c, BETA_V * FAN_OUT4 + c);
  }`;
}

/** The function `learnNorm` that `backwardNorm` calls. The moments of gamma and beta are in the norm's buffer. */
export function learnNorm({ block: { norm } }: BlockPlan, optimizer: Optimizer): string {
  return norm ? learn(optimizer, { name: "learnNorm", moments: "norm" }) : "";
}

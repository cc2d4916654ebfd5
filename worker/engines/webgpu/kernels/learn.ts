/**
 * The optimiser's part of a kernel: updates a parameter from its gradient. The formulas are in
 * worker/optimizers, one file per optimiser; only this file connects them to the kernels.
 */

import type { Optimizer } from "../../../optimizers";
import { optimizerKind, stateOf } from "../../../optimizers";
import { Buffers, type Plan } from "../plan";
import { type Binding, vec4Array } from "./kernel";

/** The binding of the optimiser's state; none for SGD. */
export function momentsBinding(plan: Plan, optimizer: Optimizer): Binding[] {
  if (stateOf(optimizer).length === 0) return [];
  const type = vec4Array(plan, Buffers.moments);
  return [{ buffer: Buffers.moments, name: "moments", type, write: true }];
}

/**
 * Returns the WGSL function `name(p, g, place0, place1)`, which computes parameter `p` after a step along
 * gradient `g`. The places are the indices of its first and second state in the array `moments`; an optimiser
 * with fewer states ignores them.
 */
export function learn(optimizer: Optimizer, { name = "learn", moments = "moments" } = {}): string {
  const formulas = optimizerKind(optimizer).wgsl?.(optimizer);
  if (!formulas) throw new Error(`${optimizer.type} has no WGSL.`);
  const { p, ...states } = formulas;
  const updates = Object.entries(states).map(
    ([state, formula], i) => /* wgsl */ `
  var ${state} = ${moments}[place${i}];
  ${state} = ${formula};
  ${moments}[place${i}] = ${state};`,
  );
  return /* wgsl */ `
fn ${name}(p: vec4f, g: vec4f, place0: u32, place1: u32) -> vec4f {${updates.join("")}
  return ${p};
}
`;
}

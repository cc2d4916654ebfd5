/**
 * What a kernel is: a piece of WGSL whose sizes are filled in, the buffers it is bound to, and how
 * many workgroups it runs on. Each file beside this one is one kernel, with its bindings and its
 * workgroup's shape at the top. All of them are bound to `step` as well: what differs from one
 * step to the next, in group 0.
 */
import type { Optimizer } from "../../optimizer";
import type { Plan } from "../plan";

export interface Kernel {
  /** For debuggers and error messages. */
  readonly name: string;
  readonly code: string;
  /** Names of the buffers of group 1, in the order of their bindings. */
  readonly buffers: readonly string[];
  readonly workgroups: number;
}

/** Numbers in `Step`. */
export const STEP_WORDS = 6;

/** The part of a step that comes from the CPU; `Program.encode` in ../program.ts writes it. */
export const STEP = /* wgsl */ `
struct Step {
  number: u32,  // steps done since the training began: the key of the minibatch
  index: u32,   // the step's place in its chunk
  given: u32,   // 1 where the caller chose the positions of the minibatch
  rate: f32,    // the optimiser's three factors: see worker/engines/optimizer.ts
  root: f32,
  keep: f32,
}
@group(0) @binding(0) var<uniform> step: Step;
`;

/** WGSL constants, unsigned. */
export function sizes(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `const ${name} = ${value}u;`)
    .join("\n");
}

/**
 * The WGSL type of a buffer of vec4s in the plan. With its length, because browsers check every index,
 * and to compare with a number costs less than to look a length up.
 */
export function vec4Array({ sizes }: Plan, buffer: string, type = "vec4f"): string {
  return `array<${type}, ${sizes.get(buffer)}>`;
}

/** A number as a WGSL f32 literal. */
export function float(value: number): string {
  return `f32(${value})`;
}

/**
 * `learn(p, g, m, v)`: parameter `p` after a step along gradient `g`, as
 * worker/engines/optimizer.ts has it. `m` and `v` say where its moments are in the array
 * `moments`; SGD has none.
 */
export function learn(optimizer: Optimizer, moments: string): string {
  if (optimizer.type === "sgd")
    return /* wgsl */ `
fn learn(p: vec4f, g: vec4f, m: u32, v: u32) -> vec4f {
  return p - step.rate * g;
}
`;
  const { beta1, beta2, epsilon } = optimizer;
  return /* wgsl */ `
fn learn(p: vec4f, g: vec4f, m: u32, v: u32) -> vec4f {
  let mean = ${float(beta1)} * ${moments}[m] + ${float(1 - beta1)} * g;
  let square = ${float(beta2)} * ${moments}[v] + ${float(1 - beta2)} * g * g;
  ${moments}[m] = mean;
  ${moments}[v] = square;
  return step.keep * p - step.rate * mean / (step.root * sqrt(square) + ${float(epsilon)});
}
`;
}

/**
 * Defines a kernel: WGSL with its sizes filled in, its buffers, and its number of workgroups. Each file in
 * this folder is one kernel, or code that several share. Every kernel also has the binding `step` in
 * group 0, with the values that differ per step.
 */
import type { Plan } from "../plan";

export interface Kernel {
  /** Name for debuggers and error messages. */
  readonly name: string;
  readonly code: string;
  /** Buffers of group 1, in the order of their binding numbers. */
  readonly bindings: readonly Binding[];
  readonly workgroups: number;
}

/** A storage buffer as a kernel sees it. */
export interface Binding {
  /** The buffer's name in `Memory`. */
  readonly buffer: string;
  /** The variable's name in the WGSL. */
  readonly name: string;
  /** The variable's WGSL type. */
  readonly type: string;
  /** Whether the kernel writes to it. Default: false. */
  readonly write?: boolean;
}

/** Number of fields in `Step`. */
export const STEP_WORDS = 7;

/** The values of a step that come from the CPU; `Program.uploadSteps` in ../program.ts writes them. */
const STEP = /* wgsl */ `
struct Step {
  number: u32,  // steps done since the training began; also seeds the minibatch
  index: u32,   // the step's place in its chunk
  given: u32,   // 1 if the caller chose the positions of the minibatch
  rate: f32,    // the optimiser's three factors: see worker/engines/optimizer.ts
  root: f32,
  keep: f32,
  teacher: f32, // the teacher's weight: see worker/data/examples.ts
}
@group(0) @binding(0) var<uniform> step: Step;
`;

/** Assembles a kernel. `code` has the entry point `main`; this adds the declarations of its bindings. */
export function kernel(name: string, workgroups: number, bindings: readonly Binding[], code: string): Kernel {
  const declarations = bindings.map(
    ({ name, type, write }, i) =>
      `@group(1) @binding(${i}) var<storage, ${write ? "read_write" : "read"}> ${name}: ${type};`,
  );
  return { name, workgroups, bindings, code: `${STEP}\n${declarations.join("\n")}\n${code}` };
}

/** Declares unsigned WGSL constants. */
export function sizes(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `const ${name} = ${value}u;`)
    .join("\n");
}

/**
 * The WGSL type of a buffer of vec4s in the plan. It includes the length: browsers check every index, and
 * comparing with a constant is cheaper than reading the length.
 */
export function vec4Array({ sizes }: Plan, buffer: string, type = "vec4f"): string {
  return `array<${type}, ${sizes.get(buffer)}>`;
}

/** Formats a number as a WGSL f32 literal. */
export function float(value: number): string {
  return `f32(${value})`;
}

/** Joins `piece(0)`, `piece(1)`, … `piece(count - 1)`, one per line. */
export function repeat(count: number, piece: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => piece(i)).join("\n");
}

/**
 * `multiplyAdd(w, x, sum)` is `sum + w * x`, `multiplyAddT(x, w, sum)` is `sum + x * w`, and
 * `outerAdd(a, b, sum)` adds the products of each number of `a` with all of `b`. Each takes 16 instructions;
 * a separate product and sum would take 20.
 */
export const MULTIPLY_ADD = /* wgsl */ `
fn multiplyAdd(w: mat4x4f, x: vec4f, sum: vec4f) -> vec4f {
  return fma(w[0], vec4f(x.x), fma(w[1], vec4f(x.y), fma(w[2], vec4f(x.z), fma(w[3], vec4f(x.w), sum))));
}
fn multiplyAddT(x: vec4f, w: mat4x4f, sum: vec4f) -> vec4f {
  return multiplyAdd(transpose(w), x, sum);
}
fn outerAdd(a: vec4f, b: vec4f, sum: mat4x4f) -> mat4x4f {
  return mat4x4f(fma(b, vec4f(a.x), sum[0]), fma(b, vec4f(a.y), sum[1]), fma(b, vec4f(a.z), sum[2]), fma(b, vec4f(a.w), sum[3]));
}
`;

/** Returns the largest divisor of `steps` up to `most`: how far to unroll a loop. */
export function unroll(steps: number, most: number): number {
  let count = most;
  while (steps % count !== 0) count--;
  return count;
}

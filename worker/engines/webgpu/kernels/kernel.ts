/**
 * What a kernel is: a piece of WGSL whose sizes are filled in, the buffers it is bound to, and how
 * many workgroups it runs on. Each file beside this one is one kernel, with its bindings and its
 * workgroup's shape at the top. All of them are bound to `step` as well: what differs from one
 * step to the next, in group 0.
 */
import type { Optimizer } from "../../optimizer";
import { MAX_LANES } from "../plan";

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

/** The part of a step that comes from the CPU; `encodeSteps` in ../index.ts writes it. */
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

/** A number as a WGSL f32 literal. */
export function float(value: number): string {
  return `f32(${value})`;
}

/**
 * `sumOverRows(lane, value)`: the sum of all even lanes for an even one, of all odd ones for an odd
 * one; in the same order in every run. Workgroup memory is scarce, and software adapters clear it
 * slowly: hence no more than a vec4 a lane.
 */
export const SUM_OVER_ROWS = /* wgsl */ `
var<workgroup> laneValues: array<vec4f, LANES>;
var<workgroup> columnSums: array<vec4f, 8>;

fn sumOverRows(lane: u32, value: vec4f) -> vec4f {
  laneValues[lane] = value;
  workgroupBarrier();
  if lane < 8u {
    var column = vec4f();
    for (var i = lane; i < LANES; i += 8u) { column += laneValues[i]; }
    columnSums[lane] = column;
  }
  workgroupBarrier();
  var sum = vec4f();
  for (var i = lane % 2u; i < 8u; i += 2u) { sum += columnSums[i]; }
  return sum;
}
`;

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

/** How the lanes of a workgroup divide a product of matrices among themselves. */
export interface LaneShape {
  readonly LANES: number;
  /** Tiles at a time: lane % TILES is the lane's. */
  readonly TILES: number;
  /** Lanes that share a tile: lane / TILES is which, and it sums every PARTS-th term. */
  readonly PARTS: number;
}

/** 64 lanes, or MAX_LANES where there are tiles enough; fewer tiles leave more lanes to a sum. */
export function laneShape(tiles: number): LaneShape {
  const LANES = tiles > 64 ? MAX_LANES : 64;
  let TILES = 1;
  while (TILES < tiles && TILES < LANES) TILES *= 2;
  return { LANES, TILES, PARTS: LANES / TILES };
}

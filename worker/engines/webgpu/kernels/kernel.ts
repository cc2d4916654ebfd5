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

/** A number as a WGSL f32 literal. */
export function float(value: number): string {
  return `f32(${value})`;
}

/**
 * What the lanes of a workgroup tell one another, in `partials`: first the parts of a product of
 * matrices, then two sums over the rows. Through storage, not through workgroup memory: a product
 * takes 256 bytes a lane, and the default limit, 16 KiB, would be reached with 64 of them.
 *
 * - `partialAt(group, part, row, vec)`: where a part of a product is, for one of the four vec4s
 * - `sumOverRows(group, lane, own)`: sums over all lanes that have the same one of the four vec4s,
 *   lane % 4, in the same order in every run
 */
export const PARTIALS = /* wgsl */ `
const GROUP_SIZE = PARTS * TILED_ROWS * 4u + LANES * 2u;

fn partialAt(group: u32, part: u32, row: u32, vec: u32) -> u32 {
  return group * GROUP_SIZE + (part * TILED_ROWS + row) * 4u + vec;
}

struct Sums { first: vec4f, second: vec4f }

fn sumOverRows(group: u32, lane: u32, own: Sums) -> Sums {
  let at = group * GROUP_SIZE + PARTS * TILED_ROWS * 4u;
  partials[at + lane] = own.first;
  partials[at + LANES + lane] = own.second;
  storageBarrier();
  var sums = Sums();
  for (var i = lane % 4u; i < LANES; i += 4u) {
    sums.first += partials[at + i];
    sums.second += partials[at + LANES + i];
  }
  return sums;
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

/**
 * How the lanes of a workgroup divide a product of matrices among themselves: into pairs of vec4s
 * of channels (lane % 2), tiles of eight rows, and parts of the sum.
 */
export interface LaneShape {
  readonly LANES: number;
  /** Tiles at a time: lane / 2 % TILES is the lane's. */
  readonly TILES: number;
  /** Lanes that share a tile: lane / 2 / TILES is which, and it sums every PARTS-th term. */
  readonly PARTS: number;
}

/** 64 lanes, or up to MAX_LANES where there are tiles enough; fewer tiles leave more lanes to a sum. */
export function laneShape(tiles: number): LaneShape {
  let TILES = 1;
  while (TILES < tiles && TILES < MAX_LANES / 2) TILES *= 2;
  const LANES = Math.max(64, 2 * TILES);
  return { LANES, TILES, PARTS: LANES / 2 / TILES };
}

/**
 * How the lanes of a workgroup work together. A workgroup of `forward` or `backward` owns one or two vec4s
 * of channels, for all rows of the minibatch, and so the sums that BatchNorm1d needs over a column:
 *
 * 1. Its lanes divide a product of matrices among themselves, in tiles of four rows; where there are
 *    fewer tiles than lanes, several lanes share the terms of a tile. Each gives its part.
 * 2. The workers of a vec4 take whole rows of it, add up their parts, and sum over them.
 *
 * The optional feature `subgroups`, where a GPU has it, makes both cheaper: neighbours show one another
 * what they read, and the workers of a vec4 are the lanes of a subgroup, which add up without a barrier.
 * Without it each lane reads for itself, and all lanes are workers of all vec4s.
 */
import { MAX_LANES } from "../plan";
import { STEP } from "./kernel";

/** The first lines of a kernel. */
export function header(subgroups: boolean): string {
  // What the compiler cannot see: v is the same for all lanes of a subgroup.
  const directives = /* wgsl */ `enable subgroups;
diagnostic(off, subgroup_uniformity);
`;
  return `${subgroups ? directives : ""}${STEP}`;
}

/** How a product is divided. */
export interface LaneShape {
  readonly LANES: number;
  /** vec4s of channels that a workgroup owns. */
  readonly VECS: number;
  /** Tiles at a time: lane % TILES is the lane's. A multiple of four: `fourRows`. */
  readonly TILES: number;
  /** Lanes that share a tile: lane / TILES is which, and it sums every PARTS-th term. */
  readonly PARTS: number;
  /** How often TILES tiles make all of them. */
  readonly PASSES: number;
}

/**
 * Multiply-adds of a lane from which on a workgroup has one vec4 of channels, not two. Twice the workgroups
 * are up to twice the cores of a GPU, and twice the reads of the inputs; with less to do, a kernel is over in
 * less time than the next one takes to begin, on half of the cores as well.
 */
const ENOUGH = 600;

/**
 * 64 lanes, or up to MAX_LANES where there are tiles enough; fewer tiles leave more lanes to a sum.
 *
 * @param tiles of four rows
 * @param terms of each sum, in vec4s; all lanes get equally many, because a quad goes through them together
 */
export function laneShape(tiles: number, terms: number): LaneShape {
  let TILES = 4;
  while (TILES < tiles && TILES < MAX_LANES) TILES *= 2;
  const LANES = Math.max(64, TILES);
  let PARTS = LANES / TILES;
  while (terms % PARTS !== 0) PARTS /= 2;
  // A tile takes 4 x 4 x 4 multiply-adds for each vec4 of terms.
  const work = (tiles * terms * 64) / LANES;
  return { LANES, VECS: work < ENOUGH ? 2 : 1, TILES, PARTS, PASSES: Math.ceil(tiles / TILES) };
}

/**
 * `name(at, stride, lane)`: a mat4x4f of the four rows of `array` that begin at `at`. All four lanes of a
 * quad (lane / 4) must ask for the same ones at the same time. With subgroups each reads one row and
 * shows it to the others: a quarter of the reads, and the same numbers.
 */
export function fourRows(name: string, array: string, subgroups: boolean): string {
  const rows = [0, 1, 2, 3];
  return subgroups
    ? /* wgsl */ `
fn ${name}(at: u32, stride: u32, lane: u32) -> mat4x4f {
  let row = ${array}[at + lane % 4u * stride];
  return mat4x4f(${rows.map((i) => `quadBroadcast(row, ${i}u)`).join(", ")});
}
`
    : /* wgsl */ `
fn ${name}(at: u32, stride: u32, lane: u32) -> mat4x4f {
  return mat4x4f(${rows.map((i) => `${array}[at + ${i}u * stride]`).join(", ")});
}
`;
}

/** A kernel that owns channels, and what differs between `forward` and `backward`. */
export interface ColumnKernel {
  readonly subgroups: boolean;
  readonly shape: LaneShape;
  /** Leaves the lane's part of the rows from `top + lane % TILES * 4u` on in `product0`, `product1`, … */
  readonly product: string;
  /** For the workers of vec4 c: takes row `top + i`, whose product is `takeRow(group.x, v, i)`. */
  readonly take: string;
  /**
   * For the workers of vec4 c, after all rows: may call `sumOverRows(group.x, slot, worker, own)`, once with
   * slot 2v and once with 2v + 1.
   */
  readonly end: string;
}

/**
 * The entry point of such a kernel and the functions that it needs. It is bound to `partials`, through
 * which the lanes exchange. Not workgroup memory: a browser must fill that with zeros before each
 * workgroup runs.
 *
 * What the pieces may use: `lane`; `part`, the lane's share of the terms; and of the vec4s of channels
 * that the workgroup owns, `group.x * VECS + v`. Workers have `c`, theirs, and go through its rows from
 * `worker` on in steps of `workers`.
 */
export function columnKernel({ subgroups, shape, product, take, end }: ColumnKernel): string {
  const { VECS, PASSES } = shape;
  const give = /* wgsl */ `
    ${product}
    ${each(VECS, (v) => `giveRows(group.x, ${v}u, lane, product${v});`)}
    storageBarrier();`;
  const takeRows = /* wgsl */ `
      for (var i = worker; i < TILES * 4u; i += workers) {
        ${take}
      }`;
  // Each subgroup has vec4s of its own; without subgroups all lanes go through all of them.
  const eachVec = (work: string) => /* wgsl */ `
    for (var v = ${subgroups ? "lane / workers" : "0u"}; v < VECS; v += ${subgroups ? "LANES / workers" : "1u"}) {
      let c = group.x * VECS + v;
      ${work}
    }`;
  return /* wgsl */ `
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Counted, because a compiler may choose another size for each kernel.
  let workers = ${subgroups ? "subgroupAdd(1u)" : "LANES"};
  let worker = ${subgroups ? "lane % workers" : "lane"};
  // Lanes beyond the last part repeat others' work, so that all go the same way; nobody takes theirs.
  let part = lane / TILES % PARTS;
  ${
    PASSES === 1
      ? `{
    let top = 0u;${give}${eachVec(takeRows + end)}
  }`
      : `for (var round = 0u; round < PASSES; round++) {
    let top = round * TILES * 4u;${give}${eachVec(takeRows)}
    storageBarrier();
  }
  ${end && eachVec(end)}`
  }
}

// Of partials, for each vec4 and lane: four rows, then two slots of two sums.
const GROUP_SIZE = LANES * VECS * 8u;

fn giveRows(group: u32, v: u32, lane: u32, rows: mat4x4f) {
  let at = group * GROUP_SIZE + (lane * VECS + v) * 4u;
  partials[at] = rows[0];
  partials[at + 1u] = rows[1];
  partials[at + 2u] = rows[2];
  partials[at + 3u] = rows[3];
}

fn takeRow(group: u32, v: u32, row: u32) -> vec4f {
  let at = group * GROUP_SIZE + (row / 4u * VECS + v) * 4u + row % 4u;
  var sum = vec4f();
  for (var part = 0u; part < PARTS; part++) { sum += partials[at + part * TILES * VECS * 4u]; }
  return sum;
}

struct Sums { first: vec4f, second: vec4f }
${subgroups ? SUM_IN_SUBGROUP : SUM_THROUGH_STORAGE}`;
}

/** A piece of code for each of the vec4s of channels that a workgroup owns. */
export function each(vecs: number, piece: (v: number) => string): string {
  return Array.from({ length: vecs }, (_, v) => piece(v)).join("\n    ");
}

const SUM_IN_SUBGROUP = /* wgsl */ `
fn sumOverRows(group: u32, slot: u32, worker: u32, own: Sums) -> Sums {
  return Sums(subgroupAdd(own.first), subgroupAdd(own.second));
}
`;

const SUM_THROUGH_STORAGE = /* wgsl */ `
fn sumOverRows(group: u32, slot: u32, worker: u32, own: Sums) -> Sums {
  // Four lanes add up a quarter each, and everybody those four.
  let at = group * GROUP_SIZE + LANES * (VECS * 4u + slot * 2u);
  partials[at + worker * 2u] = own.first;
  partials[at + worker * 2u + 1u] = own.second;
  storageBarrier();
  if worker < 4u {
    var quarter = own;
    for (var i = worker + 4u; i < LANES; i += 4u) {
      quarter.first += partials[at + i * 2u];
      quarter.second += partials[at + i * 2u + 1u];
    }
    partials[at + worker * 2u] = quarter.first;
    partials[at + worker * 2u + 1u] = quarter.second;
  }
  storageBarrier();
  return Sums(
    partials[at] + partials[at + 2u] + partials[at + 4u] + partials[at + 6u],
    partials[at + 1u] + partials[at + 3u] + partials[at + 5u] + partials[at + 7u],
  );
}
`;

/**
 * How the lanes of a workgroup cooperate if it owns one vec4 of channels for all rows:
 *
 * 1. They divide a matrix product. PARTS neighbouring lanes share a tile of rows, and each sums every PARTS-th
 *    vec4 of the terms, so neighbouring lanes read neighbouring memory.
 * 2. They add up their parts on the `board`, which is workgroup memory. One lane then takes each row and keeps it in
 *    registers to the end of the kernel, so statistics, normalising and tanh need no memory access.
 */
import { sizes } from "./kernel";

/** Sizes of the workgroups, and how far to unroll loops. */
export interface Shape {
  /** Lanes per workgroup: a power of two from 32 to 256, WebGPU's default limit. */
  readonly lanes: number;
  /** vec4s on the board: at least four per lane, at most 1,024, WebGPU's default limit. */
  readonly board: number;
  /**
   * Maximum unrolling, so that several reads are in flight together: for the forward and backward products, and for
   * the sums over rows that train a weight.
   */
  readonly unroll: { readonly forward: number; readonly backward: number; readonly train: number };
  /** Tiles for the products of wide levels. */
  readonly tiles: Tiles;
}

/**
 * The tiles of product.ts and update.ts. Their workgroups have their own size, and each computes a tile of a matrix
 * product.
 */
export interface Tiles {
  /**
   * Use tiles for levels with at least this many rows and multiply-adds; see `isTiled`. With fewer, tiles were slower
   * on an NVIDIA H200: docs/performance.md.
   */
  readonly from: { readonly rows: number; readonly multiplyAdds: number };
  /** Lanes per workgroup: a power of two from 32 to 256. */
  readonly lanes: number;
  /** vec4s of columns per tile: a power of two from `deep` to `lanes / 8`. */
  readonly wide: number;
  /** Rows of the tile per lane: 4 or 8. */
  readonly tall: number;
  /** With fewer workgroups than this, a lane has 4 rows, so that there are twice as many workgroups. */
  readonly few: number;
  /** vec4s of terms on the board at once: a power of two up to 8. `4 * deep` is a multiple of `wide`. */
  readonly deep: number;
  /** Workgroups that share the terms of a forward product: 1 or 2. */
  readonly shares: number;
}

/** Chooses the rows per lane in a product. @param workgroups number of workgroups for the given rows per lane */
export function rowsOfLane({ tall, few }: Tiles, workgroups: (tall: number) => number): number {
  return workgroups(tall) < few ? 4 : tall;
}

const WIDE = { rows: 256, multiplyAdds: 2 ** 27 };

/**
 * For real GPUs. On an NVIDIA H200 at batch 256, 64 lanes took 1.4 times as long, and loops without unrolling 1.3 to
 * 1.5 times: docs/performance.md.
 */
export const GPU_SHAPE: Shape = {
  lanes: 256,
  board: 1024,
  unroll: { forward: 8, backward: 4, train: 8 },
  tiles: { from: WIDE, lanes: 128, wide: 16, tall: 8, few: 200, deep: 8, shares: 2 },
};

/**
 * For software adapters. They clear workgroup memory, which takes SwiftShader longer than everything else. There,
 * 64 lanes took 1.5 times as long, and 256 lanes 11 times.
 */
export const SOFTWARE_SHAPE: Shape = {
  lanes: 32,
  board: 128,
  unroll: { forward: 1, backward: 1, train: 1 },
  tiles: { from: WIDE, lanes: 32, wide: 4, tall: 4, few: 0, deep: 4, shares: 1 },
};

/** Maximum number of rows that a lane keeps in registers; with more, they stay in `activations`. */
const MOST_HELD = 16;

/** How rows are assigned to lanes. */
export interface Rows {
  /** Rows handled at the same time. */
  readonly TAKERS: number;
  /** Groups of TAKERS lanes; each group handles every SLOTS-th pass. */
  readonly SLOTS: number;
  readonly PASSES: number;
  /** Rows per lane. */
  readonly HELD: number;
  /** The body of `rowOf`; see `eachRow`. */
  readonly rowOf: string;
}

/** How a product is divided among lanes. */
export interface Product extends Rows {
  /** Neighbouring lanes per tile. */
  readonly PARTS: number;
  /** Tiles computed at the same time. */
  readonly TILES: number;
  /** vec4s of results per tile. */
  readonly TILE: number;
  /** vec4s of terms whose weights are on the board at once. A multiple of PARTS. */
  readonly CHUNK: number;
}

/** Assigns rows to lanes in order, for a product that another kernel computed. */
export function plainRows({ lanes }: Shape, rows: number): Rows {
  const PASSES = Math.ceil(rows / lanes);
  return { TAKERS: lanes, SLOTS: 1, PASSES, HELD: PASSES, rowOf: "return pass_ * TAKERS + taker;" };
}

/**
 * Divides a product into tiles.
 *
 * @param tiles number of tiles
 * @param tile results per tile, at most four
 * @param terms terms per sum, in vec4s
 * @param columns vec4s of weights for each vec4 of terms
 * @param rowOf which row result `taker` of a pass belongs to
 */
export function dividedProduct(
  { lanes, board }: Shape,
  { tiles, tile, terms, columns }: { tiles: number; tile: number; terms: number; columns: number },
  rowOf = "return pass_ * TAKERS + taker;",
): Product {
  // With fewer tiles than lanes, more lanes share a tile.
  let PARTS = Math.max(4, lanes / 32);
  while (PARTS < 32 && lanes / (2 * PARTS) >= tiles) PARTS *= 2;
  const TILES = lanes / PARTS;
  const TAKERS = TILES * tile;
  const SLOTS = Math.max(1, Math.floor(lanes / TAKERS));
  const PASSES = Math.ceil(tiles / TILES);
  const most = Math.floor(board / columns / PARTS);
  const CHUNK = PARTS * Math.max(1, Math.min(most, Math.ceil(terms / PARTS)));
  return { PARTS, TILES, TILE: tile, CHUNK, TAKERS, SLOTS, PASSES, HELD: Math.ceil(PASSES / SLOTS), rowOf };
}

/** Returns the WGSL constants and functions that `eachRow` needs. */
export function rowSizes({ rowOf, ...numbers }: Rows): string {
  return /* wgsl */ `
${sizes({ ...numbers })}
// The row that a taker has in a pass; ROWS or more if there is none.
fn rowOf(pass_: u32, taker: u32) -> u32 {
  ${rowOf}
}
`;
}

/** The first lines of `main`: the lane's place among the takers. */
export const TAKER = /* wgsl */ `
  let slot = lane / TAKERS;
  let taker = lane % TAKERS;`;

/** WGSL that runs `piece` for each row of the lane, with the row in `row` and its index in the lane in `i`. */
export function eachRow(piece: string): string {
  return /* wgsl */ `
  for (var i = 0u; i < HELD; i++) {
    let row = rowOf(i * SLOTS + slot, taker);
    if slot < SLOTS && row < ROWS {
      ${piece}
    }
  }`;
}

/** A vec4f per row of a lane, in registers or in `activations`. */
export interface Held {
  /** WGSL that declares it. */
  readonly declare: string;
  /** The value of the lane's row `row`, with index `i`; assignable. */
  readonly value: string;
  /** The same for another index and row. */
  readonly at: (index: string, row: string) => string;
  /** WGSL that loads the value from `activations`, for `eachRow`. */
  readonly load: string;
  /** WGSL that stores the value there. */
  readonly store: string;
}

/**
 * @param name of the variable
 * @param place WGSL constant: start of its rows in `activations`, [ROWS, FAN_OUT4]
 */
export function held({ HELD }: Rows, name: string, place: string): Held {
  const memory = (row: string) => `activations[${place} + (${row}) * FAN_OUT4 + c]`;
  if (HELD > MOST_HELD)
    return { declare: "", value: memory("row"), at: (_, row) => memory(row), load: "", store: "" };
  const value = `${name}[i]`;
  return {
    declare: `var ${name}: array<vec4f, HELD>;`,
    value,
    at: (index) => `${name}[${index}]`,
    load: `${value} = ${memory("row")};`,
    store: `${memory("row")} = ${value};`,
  };
}

/** WGSL that adds up a row's parts from the board, in the lane that takes the row. */
export function takeRows(h: Held, bias: string): string {
  return /* wgsl */ `
    workgroupBarrier();
    let taken = rowOf(pass_, taker);
    if slot == pass_ % SLOTS && taken < ROWS {
      var sum = ${bias};
      // Each lane starts with another part, so that the lanes use different memory banks.
      for (var p = 0u; p < PARTS; p++) { sum += board[taker * PARTS + (p + taker) % PARTS]; }
      ${h.at("pass_ / SLOTS", "taken")} = sum;
    }
    workgroupBarrier();`;
}

/** The declaration of the board. */
export function board(size: number): string {
  return `var<workgroup> board: array<vec4f, ${size}>;`;
}

/** vec4s on the board that `SUMS` needs. */
export const sumsBoard = ({ lanes }: Shape) => 2 * lanes + 32;

/** `sumOverLanes(lane, own)`, and `sumsOverLanes` for two sums at once. All lanes must call them. */
export const SUMS = /* wgsl */ `
struct Sums { first: vec4f, second: vec4f }

fn sumOverLanes(lane: u32, own: vec4f) -> vec4f {
  workgroupBarrier();
  board[lane] = own;
  workgroupBarrier();
  if lane < 16u {
    var sum = board[lane];
    for (var i = 1u; i < LANES / 16u; i++) { sum += board[lane + i * 16u]; }
    board[LANES + lane] = sum;
  }
  workgroupBarrier();
  var sum = board[LANES];
  for (var i = 1u; i < 16u; i++) { sum += board[LANES + i]; }
  return sum;
}

fn sumsOverLanes(lane: u32, own: Sums) -> Sums {
  workgroupBarrier();
  board[lane] = own.first;
  board[LANES + lane] = own.second;
  workgroupBarrier();
  if lane < 32u {
    let at = lane / 16u * LANES + lane % 16u;
    var sum = board[at];
    for (var i = 1u; i < LANES / 16u; i++) { sum += board[at + i * 16u]; }
    board[2u * LANES + lane] = sum;
  }
  workgroupBarrier();
  var sums = Sums(board[2u * LANES], board[2u * LANES + 16u]);
  for (var i = 1u; i < 16u; i++) {
    sums.first += board[2u * LANES + i];
    sums.second += board[2u * LANES + 16u + i];
  }
  return sums;
}
`;

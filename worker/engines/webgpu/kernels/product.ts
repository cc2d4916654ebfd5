/**
 * Matrix products for wide levels. A workgroup computes a tile of the result. It loads pieces of both factors into
 * workgroup memory, DEEP vec4s of terms at a time, and reads the next pieces while it multiplies the current ones.
 * A lane computes TALL rows of one vec4 of columns.
 *
 *     forward     hpreact = x @ W                  terms: W's rows
 *     backward    dh = dhpreact_next @ W_next.T    terms: W_next's columns
 *
 * normalize.ts and backward.ts use the results. update.ts is the third product, which trains W.
 */
import { type BlockPlan, Buffers, type Plan } from "../plan";
import { type Kernel, kernel, MULTIPLY_ADD, repeat, sizes, vec4Array } from "./kernel";
import { board, rowsOfLane, type Shape, type Tiles } from "./workgroup";

/** Tells whether a level's products are divided into tiles. Those of the first level and the head never are. */
export function isTiled({ blocks }: Plan, level: BlockPlan, { tiles: { from } }: Shape): boolean {
  const { rows, fanIn4, fanOut4 } = level;
  if (level === blocks[0] || level === blocks.at(-1)) return false;
  return rows >= from.rows && rows * fanIn4 * fanOut4 * 16 >= from.multiplyAdds;
}

/**
 * Places of the partial sums of `x @ W` in `activations`; normalize.ts adds them up. One of them may use the memory
 * of the level's gradient, which is free until the backward pass.
 */
export function shareSources({ y, gradient }: BlockPlan, { shares }: Tiles): readonly number[] {
  return shares === 1 ? [y] : [y, gradient];
}

/** `x @ W`. */
export function forwardProduct(plan: Plan, level: BlockPlan, tiles: Tiles): Kernel {
  const { block, rows, fanIn4, fanOut4, x } = level;
  return product(plan, tiles, {
    name: `product of ${block.weight}`,
    weight: block.weight,
    rows,
    terms4: fanIn4,
    columns4: fanOut4,
    left: x,
    results: shareSources(level, tiles),
    transposed: false,
  });
}

/** `dhpreact_next @ W_next.T`, stored as the level's gradient: [next.rows, FOLD * fanOut4] equals [rows, fanOut4]. */
export function backwardProduct(plan: Plan, level: BlockPlan, next: BlockPlan, tiles: Tiles): Kernel {
  return product(plan, tiles, {
    name: `product of ${next.block.weight} transposed`,
    weight: next.block.weight,
    rows: next.rows,
    terms4: next.fanOut4,
    columns4: next.fanIn4,
    left: next.gradient,
    results: [level.gradient],
    transposed: true,
  });
}

interface Factors {
  readonly name: string;
  readonly weight: string;
  readonly rows: number;
  readonly terms4: number;
  readonly columns4: number;
  /** In `activations`: [rows, terms4]. */
  readonly left: number;
  /** In `activations`: [rows, columns4] for each share of the terms. */
  readonly results: readonly number[];
  /** Whether the weight is stored as [columns4 * 4, terms4] instead of [terms4 * 4, columns4]. */
  readonly transposed: boolean;
}

function product(plan: Plan, tiles: Tiles, factors: Factors): Kernel {
  const { lanes, wide, deep } = tiles;
  const { name, weight, rows, terms4, columns4, left, results, transposed } = factors;
  const ROW_GROUPS = lanes / wide;
  const TILES_WIDE = Math.ceil(columns4 / wide);
  const count = (tall: number) => Math.ceil(rows / (ROW_GROUPS * tall)) * TILES_WIDE;
  const tall = rowsOfLane(tiles, (tall) => count(tall) * results.length);
  const TILE_ROWS = ROW_GROUPS * tall;
  const TILES = count(tall);
  const SHARE4 = Math.ceil(terms4 / deep / results.length) * deep;
  const even = SHARE4 * results.length === terms4;
  const leftLoads = (TILE_ROWS * deep) / lanes;
  const rightLoads = Math.ceil((4 * deep * wide) / lanes);
  const term = (at: string) => (even ? at : `min(${at}, TERMS4 - 1u)`);
  const load = /* wgsl */ `
    ${repeat(leftLoads, (i) => {
      const read = `activations[left${i} + ${term("first + k")}]`;
      return `nextLeft${i} = ${even ? read : `select(vec4f(), ${read}, first + k < TERMS4)`};`;
    })}
    ${repeat(rightLoads, (i) =>
      transposed
        ? `nextRight${i} = weight[right${i} + ${term("first + k")}];`
        : `nextRight${i} = weight[(${even ? "first * 4u" : `min(first * 4u`} + row${i}${even ? "" : ", TERMS4 * 4u - 1u)"}) * COLUMNS4 + right${i}];`,
    )}`;
  return kernel(
    name,
    TILES * results.length,
    [
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      { buffer: weight, name: "weight", type: vec4Array(plan, weight) },
    ],
    /* wgsl */ `
${sizes({
  LANES: lanes,
  WIDE: wide,
  DEEP: deep,
  ROW_GROUPS,
  TILE_ROWS,
  TILES_WIDE,
  TILES,
  SHARE4,
  ROWS: rows,
  TERMS4: terms4,
  COLUMNS4: columns4,
  LEFT: left,
  RIGHT_BOARD: TILE_ROWS * deep,
})}
const RESULTS = array<u32, ${results.length}>(${results.map((at) => `${at}u`).join(", ")});
// The left factor is [DEEP, TILE_ROWS], the right one [DEEP, 4, WIDE]. The XOR with k permutes the places of a row,
// so that storing lanes use different memory banks.
${board(TILE_ROWS * deep + 4 * deep * wide)}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let share = group.x / TILES;
  let tile = group.x % TILES;
  let top = tile / TILES_WIDE * TILE_ROWS;
  let columns0 = tile % TILES_WIDE * WIDE;
  let rowGroup = lane / WIDE;
  let column = lane % WIDE;
  let k = lane % DEEP;
  ${repeat(leftLoads, (i) => `let left${i} = LEFT + min(top + (lane + ${i}u * LANES) / DEEP, ROWS - 1u) * TERMS4;`)}
  ${repeat(rightLoads, (i) =>
    transposed
      ? `let channel${i} = (lane + ${i}u * LANES) / DEEP;
  let right${i} = min(columns0 * 4u + channel${i}, COLUMNS4 * 4u - 1u) * TERMS4;`
      : `let row${i} = (lane + ${i}u * LANES) / WIDE;
  let right${i} = min(columns0 + column, COLUMNS4 - 1u);`,
  )}
  ${repeat(leftLoads, (i) => `var nextLeft${i}: vec4f;`)}
  ${repeat(rightLoads, (i) => `var nextRight${i}: vec4f;`)}
  ${repeat(tall, (i) => `var sum${i} = vec4f();`)}
  var first = share * SHARE4;
  ${load}
  for (var at = 0u; at < SHARE4; at += DEEP) {
    workgroupBarrier();
    ${repeat(leftLoads, (i) => `board[k * TILE_ROWS + (((lane + ${i}u * LANES) / DEEP) ^ k)] = nextLeft${i};`)}
    ${repeat(rightLoads, (i) =>
      transposed
        ? `board[RIGHT_BOARD + k * 4u * WIDE + ((channel${i} % 4u * WIDE + channel${i} / 4u) ^ k)] = nextRight${i};`
        : `board[RIGHT_BOARD + row${i} / 4u * 4u * WIDE + ((row${i} % 4u * WIDE + column) ^ (row${i} / 4u))] = nextRight${i};`,
    )}
    workgroupBarrier();
    if at + DEEP < SHARE4 {
      first += DEEP;
      ${load}
    }
    ${repeat(
      deep,
      (k) => /* wgsl */ `{
      let c = (lane ^ ${k}u) % WIDE;
      let r = ((lane / WIDE) ^ ${k}u) % ROW_GROUPS;
      let w = mat4x4f(${[0, 1, 2, 3].map((j) => `board[RIGHT_BOARD + ${k * 4 + j}u * WIDE + c]`).join(", ")});
      ${repeat(tall, (i) => {
        const x = `board[${k}u * TILE_ROWS + ${i}u * ROW_GROUPS + r]`;
        return transposed
          ? `sum${i} = multiplyAddT(${x}, w, sum${i});`
          : `sum${i} = multiplyAdd(w, ${x}, sum${i});`;
      })}
    }`,
    )}
  }
  var results = RESULTS;
  let result = results[share] + columns0 + column;
  if columns0 + column < COLUMNS4 {
    ${repeat(tall, (i) => `if top + ${i}u * ROW_GROUPS + rowGroup < ROWS { activations[result + (top + ${i}u * ROW_GROUPS + rowGroup) * COLUMNS4] = sum${i}; }`)}
  }
}
${MULTIPLY_ADD}
`,
  );
}

/**
 * Trains a wide level's weight: `W -= rate * x.T @ dhpreact`. A workgroup computes a tile of W. It loads the rows of
 * x and dhpreact into workgroup memory, STEP_ROWS at a time. A lane computes TALL4 vec4s of inputs by one vec4 of
 * outputs. product.ts has the other products.
 */
import type { Optimizer } from "../../../optimizers";
import { type BlockPlan, Buffers, type Plan } from "../plan";
import { type Kernel, kernel, MULTIPLY_ADD, repeat, sizes, vec4Array } from "./kernel";
import { learn, momentsBinding } from "./learn";
import { board, rowsOfLane, type Tiles } from "./workgroup";

/** See the top of this file. */
export function updateKernel(plan: Plan, level: BlockPlan, optimizer: Optimizer, tiles: Tiles): Kernel {
  const { block, rows, fanIn4, fanOut4, x, gradient, weight } = level;
  const { lanes, wide } = tiles;
  const ROW_GROUPS = lanes / wide;
  const STEP_ROWS = Math.max(wide, ROW_GROUPS);
  // In vec4s. A bias is the weight of an additional input that is always 1.
  const inputs4 = fanIn4 + (block.bias ? 2 : 0);
  const TILES_WIDE = Math.ceil(fanOut4 / wide);
  const count = (tall: number) => Math.ceil((inputs4 * 4) / (ROW_GROUPS * tall)) * TILES_WIDE;
  const tall = rowsOfLane(tiles, count);
  const TALL4 = tall / 4;
  const TILE4 = ROW_GROUPS * TALL4;
  const xLoads = (STEP_ROWS * TILE4) / lanes;
  const dLoads = (STEP_ROWS * wide) / lanes;
  // Before a BatchNorm1d a bias does not affect the loss, so its gradient is exactly 0, not a rounding error.
  const one = block.norm ? "vec4f()" : "vec4f(1, 0, 0, 0)";
  const readX = (i: number) => {
    const read = `activations[X + min(row, ROWS - 1u) * FAN_IN4 + min(in${i}, FAN_IN4 - 1u)]`;
    const input = block.bias
      ? `select(select(vec4f(), ${one}, in${i} == FAN_IN4), ${read}, in${i} < FAN_IN4)`
      : read;
    return `row = first + (lane + ${i}u * LANES) / TILE4;
    x${i} = select(vec4f(), ${input}, row < ROWS);`;
  };
  const load = /* wgsl */ `
    ${repeat(xLoads, readX)}
    ${repeat(dLoads, (i) => `d${i} = activations[DHPREACT + min(first + (lane + ${i}u * LANES) / WIDE, ROWS - 1u) * FAN_OUT4 + min(left4 + column, FAN_OUT4 - 1u)];`)}`;
  return kernel(
    `update of ${block.weight}`,
    count(tall),
    [
      { buffer: Buffers.activations, name: "activations", type: vec4Array(plan, Buffers.activations) },
      { buffer: block.weight, name: "weight", type: vec4Array(plan, block.weight), write: true }, // [INPUTS4 * 4, FAN_OUT4]
      ...momentsBinding(plan, optimizer),
    ],
    /* wgsl */ `
${sizes({
  LANES: lanes,
  WIDE: wide,
  ROW_GROUPS,
  TILE4,
  TILES_WIDE,
  STEP_ROWS,
  ROWS: rows,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  INPUTS4: inputs4,
  X: x,
  DHPREACT: gradient,
  D_BOARD: STEP_ROWS * TILE4,
  M: weight.m,
  V: weight.v,
})}
// [STEP_ROWS, TILE4] of x, [STEP_ROWS, WIDE] of dhpreact
${board(STEP_ROWS * (TILE4 + wide))}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let top4 = group.x / TILES_WIDE * TILE4;
  let left4 = group.x % TILES_WIDE * WIDE;
  let rowGroup = lane / WIDE;
  let column = lane % WIDE;
  ${repeat(xLoads, (i) => `let in${i} = top4 + (lane + ${i}u * LANES) % TILE4;\nvar x${i}: vec4f;`)}
  ${repeat(dLoads, (i) => `var d${i}: vec4f;`)}
  ${repeat(TALL4, (i) => `var gradient${i} = mat4x4f();`)}
  var row: u32;
  var first = 0u;
  ${load}
  for (; first < ROWS;) {
    workgroupBarrier();
    ${repeat(xLoads, (i) => `board[lane + ${i}u * LANES] = x${i};`)}
    ${repeat(dLoads, (i) => `board[D_BOARD + lane + ${i}u * LANES] = d${i};`)}
    workgroupBarrier();
    first += STEP_ROWS;
    if first < ROWS {
      ${load}
    }
    ${repeat(
      STEP_ROWS,
      (r) => /* wgsl */ `{
      let d = board[D_BOARD + ${r}u * WIDE + column];
      ${repeat(TALL4, (i) => `gradient${i} = outerAdd(board[${r}u * TILE4 + ${i}u * ROW_GROUPS + rowGroup], d, gradient${i});`)}
    }`,
    )}
  }
  if left4 + column >= FAN_OUT4 { return; }
  ${repeat(
    TALL4,
    (i) => /* wgsl */ `
  if top4 + ${i}u * ROW_GROUPS + rowGroup < INPUTS4 {
    let at = (top4 + ${i}u * ROW_GROUPS + rowGroup) * 4u * FAN_OUT4 + left4 + column;
    ${[0, 1, 2, 3].map((j) => `trainAt(at + ${j}u * FAN_OUT4, gradient${i}[${j}]);`).join("\n    ")}
  }`,
  )}
}

fn trainAt(at: u32, gradient: vec4f) {
  weight[at] = learn(weight[at], gradient, M + at, V + at);
}
${learn(optimizer)}
${MULTIPLY_ADD}
`,
  );
}

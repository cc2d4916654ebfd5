/**
 * A block backward, from the gradient of the next Linear's output to that of its own:
 * `dh = dhpreact_next @ W_next.T`, `dhpreact = (1 - h**2) * dh`, and back through BatchNorm1d.
 *
 * The shape is that of the forward pass: a workgroup owns channels for all rows, so the two
 * sums that BatchNorm1d's backward pass needs stay in it, and gamma and beta learn here. A tile is
 * four joined rows of the next block, and one of the FOLD places in them.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers, NormRow, type Plan } from "../plan";
import { type Kernel, learn, sizes, vec4Array } from "./kernel";
import { columnKernel, each, fourRows, header, laneShape } from "./lanes";

/** See the head of this file. `next` is the level that reads this one's output. */
export function backwardKernel(
  plan: Plan,
  level: BlockPlan,
  next: BlockPlan,
  optimizer: Optimizer,
  subgroups: boolean,
): Kernel {
  const { block, rows, fanOut4, normalized, y, gradient } = level;
  const { norm, tanh } = block;
  const { fold } = next.block;
  // Four tiles that follow one another have the same place, and so the same weights.
  const tilesOfPlace = Math.ceil(next.rows / 16) * 4;
  const tiles = fold * tilesOfPlace;
  const shape = laneShape(tiles, next.fanOut4);
  const { VECS } = shape;
  return {
    name: `backward of ${block.weight}`,
    workgroups: fanOut4 / VECS,
    buffers: [Buffers.activations, next.block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${header(subgroups)}
// NORMALIZED, Y, DHPREACT: [ROWS, FAN_OUT4], DHPREACT_NEXT: [NEXT_ROWS, NEXT_OUT4]
@group(1) @binding(0) var<storage, read_write> activations: ${vec4Array(plan, Buffers.activations)};
// [FOLD * FAN_OUT4 * 4, NEXT_OUT4]
@group(1) @binding(1) var<storage, read> nextWeight: ${vec4Array(plan, next.block.weight)};
@group(1) @binding(2) var<storage, read_write> partials: ${vec4Array(plan, Buffers.partials)};
${
  norm
    ? `// rows of NormRow
@group(1) @binding(3) var<storage, read_write> norm: ${vec4Array(plan, norm.gamma)};`
    : ""
}

${sizes({
  ...shape,
  ROWS: rows,
  ROWS_OF_PLACE: tilesOfPlace * 4,
  TILED_ROWS: tiles * 4,
  FAN_OUT4: fanOut4,
  FOLD: fold,
  NEXT_ROWS: next.rows,
  NEXT_OUT4: next.fanOut4,
  NORMALIZED: normalized,
  Y: y,
  DHPREACT: gradient,
  DHPREACT_NEXT: next.gradient,
  ...NormRow,
})}
${columnKernel({
  subgroups,
  shape,
  product: product(VECS),
  take: tanh ? TAKE_THROUGH_TANH : TAKE,
  end: norm ? BACK_THROUGH_NORM : "",
})}
// The row of this block that a row of a tile is; ROWS where it is none.
fn rowAt(tiled: u32) -> u32 {
  let joined = tiled % ROWS_OF_PLACE;
  let place = tiled / ROWS_OF_PLACE;
  return select(ROWS, joined * FOLD + place, joined < NEXT_ROWS && place < FOLD);
}
${norm ? learn(optimizer, "norm") : ""}
${fourRows("weightRows", "nextWeight", subgroups)}`,
  };
}

/** `dh = dhpreact_next @ W_next.T`: four rows, the channels of the workgroup, every PARTS-th term. */
function product(vecs: number): string {
  return /* wgsl */ `
    let row = top + lane % TILES * 4u;
    let joined = row % ROWS_OF_PLACE;
    let place = min(row / ROWS_OF_PLACE, FOLD - 1u);
    let d0 = DHPREACT_NEXT + min(joined, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d1 = DHPREACT_NEXT + min(joined + 1u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d2 = DHPREACT_NEXT + min(joined + 2u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d3 = DHPREACT_NEXT + min(joined + 3u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let w = (place * FAN_OUT4 + group.x * VECS) * 4u * NEXT_OUT4;
    ${each(vecs, (v) => `var product${v} = mat4x4f();`)}
    for (var i = 0u; i < NEXT_OUT4 / PARTS; i++) {
      let j = i * PARTS + part;
      let d = mat4x4f(activations[d0 + j], activations[d1 + j], activations[d2 + j], activations[d3 + j]);
      ${each(vecs, (v) => `product${v} += transpose(weightRows(w + ${4 * v}u * NEXT_OUT4 + j, NEXT_OUT4, lane)) * d;`)}
    }
`;
}

const TAKE = /* wgsl */ `
        let row = rowAt(top + i);
        if row >= ROWS { continue; }
        activations[DHPREACT + row * FAN_OUT4 + c] = takeRow(group.x, v, i);
`;

const TAKE_THROUGH_TANH = /* wgsl */ `
        let row = rowAt(top + i);
        if row >= ROWS { continue; }
        let at = row * FAN_OUT4 + c;
        let dh = takeRow(group.x, v, i);
        let h = activations[Y + at];
        let dhpreact = (1 - h * h) * dh;
        activations[DHPREACT + at] = dhpreact;
`;

/** N - 1, because the forward pass normalises with the unbiased variance. A worker reads the rows that it wrote itself. */
const BACK_THROUGH_NORM = /* wgsl */ `
      var own = Sums();
      for (var tiled = worker; tiled < TILED_ROWS; tiled += workers) {
        let row = rowAt(tiled);
        if row >= ROWS { continue; }
        let at = row * FAN_OUT4 + c;
        let dhpreact = activations[DHPREACT + at];
        own.first += dhpreact;
        own.second += dhpreact * activations[NORMALIZED + at];
      }
      let sums = sumOverRows(group.x, 2u * v, worker, own);
      let dbeta = sums.first;
      let dgamma = sums.second;
      let scale = norm[SCALE * FAN_OUT4 + c];
      for (var tiled = worker; tiled < TILED_ROWS; tiled += workers) {
        let row = rowAt(tiled);
        if row >= ROWS { continue; }
        let at = row * FAN_OUT4 + c;
        let dbatch = dbeta / f32(ROWS) + activations[NORMALIZED + at] * dgamma / f32(ROWS - 1u);
        activations[DHPREACT + at] = scale * (activations[DHPREACT + at] - dbatch);
      }
      if worker == 0u {
        let gamma = GAMMA * FAN_OUT4 + c;
        let beta = BETA * FAN_OUT4 + c;
        norm[gamma] = learn(norm[gamma], dgamma, GAMMA_M * FAN_OUT4 + c, GAMMA_V * FAN_OUT4 + c);
        norm[beta] = learn(norm[beta], dbeta, BETA_M * FAN_OUT4 + c, BETA_V * FAN_OUT4 + c);
      }
`;

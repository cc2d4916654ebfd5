/**
 * A level's forward pass: `hpreact = x @ W + b`, BatchNorm1d, `h = tanh(hpreact)`. A workgroup owns one vec4 of
 * channels for all rows; workgroup.ts says how its lanes work together.
 */
import { type BlockPlan, Buffers, NormRow, type Plan } from "../plan";
import { type Kernel, kernel, MULTIPLY_ADD, repeat, sizes, unroll, vec4Array } from "./kernel";
import { activation, forwardNorm, normBinding, readNorm } from "./norm";
import {
  board,
  dividedProduct,
  type Held,
  held,
  rowSizes,
  type Shape,
  SUMS,
  sumsBoard,
  TAKER,
  takeRows,
} from "./workgroup";

/** Rows of a tile; a lane has one vec4 of channels for each. */
const TILE = 4;

/** With more workgroups than this, two share a core of a large GPU and have fewer registers. Measured on an H200. */
const CROWDED = 128;

function unrolledSteps({ unroll: { forward } }: Shape, workgroups: number): number {
  return workgroups > CROWDED ? Math.min(4, forward) : forward;
}

/** See the top of this file. */
export function forwardKernel(plan: Plan, level: BlockPlan, shape: Shape): Kernel {
  const { block, rows, fanIn4, fanOut4, x, normalized, y } = level;
  const product = dividedProduct(shape, {
    tiles: Math.ceil(rows / TILE),
    tile: TILE,
    terms: fanIn4,
    columns: 4,
  });
  const UNROLL = unroll(product.CHUNK / product.PARTS, unrolledSteps(shape, fanOut4));
  const h = held(product, "h", "Y");
  return kernel(
    `forward of ${block.weight}`,
    fanOut4,
    [
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      { buffer: block.weight, name: "weight", type: vec4Array(plan, block.weight) }, // [FAN_IN4 * 4, FAN_OUT4], bias
      ...normBinding(plan, level),
    ],
    /* wgsl */ `
${sizes({
  LANES: shape.lanes,
  ROWS: rows,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  X: x,
  UNROLL,
  NORMALIZED: normalized,
  Y: y,
  ...NormRow,
})}
${rowSizes(product)}
${board(Math.max(sumsBoard(shape), shape.lanes * TILE, 4 * product.CHUNK))}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c = group.x;
  ${TAKER}
  ${readNorm(level)}
  ${h.declare}
  ${multiply(h, fanIn4 % product.CHUNK === 0, block.bias ? "weight[FAN_IN4 * 4u * FAN_OUT4 + c]" : "vec4f()", UNROLL)}
  ${forwardNorm(level, h)}
}
fn rowsOfX(at: vec4u, k: u32) -> mat4x4f {
  return mat4x4f(activations[at.x + k], activations[at.y + k], activations[at.z + k], activations[at.w + k]);
}
${activation(level)}
${SUMS}
${MULTIPLY_ADD}
`,
  );
}

/**
 * `x @ W`. A lane computes four rows for the workgroup's channels, and sums every PARTS-th vec4 of the terms.
 *
 * @param even whether CHUNK divides the terms; if not, the last chunk is padded with weights of 0
 * @param unrolled UNROLL: number of terms whose rows of x are read together
 */
function multiply(h: Held, even: boolean, bias: string, unrolled: number): string {
  const term = (k: string) => (even ? k : `min(${k}, FAN_IN4 - 1u)`);
  const row = "weight[(first * 4u + k) * FAN_OUT4 + c]";
  const weight = even
    ? row
    : `select(vec4f(), ${row.replace("first * 4u + k", "min(first * 4u + k, FAN_IN4 * 4u - 1u)")}, first * 4u + k < FAN_IN4 * 4u)`;
  return /* wgsl */ `
  let part = lane % PARTS;
  let tile = lane / PARTS;
  for (var pass_ = 0u; pass_ < PASSES; pass_++) {
    let rows = vec4u(pass_ * TAKERS + tile * TILE) + vec4u(0, 1, 2, 3);
    let at = X + min(rows, vec4u(ROWS - 1u)) * FAN_IN4;
    ${repeat(TILE, (i) => `var product${i} = vec4f();`)}
    for (var first = 0u; first < FAN_IN4; first += CHUNK) {
      // Start to read the first rows of x while the weight is copied to the board.
      ${repeat(unrolled, (u) => `var x${u} = rowsOfX(at, ${term(`first + ${u}u * PARTS + part`)});`)}
      var k: u32;
      for (var k = lane; k < CHUNK * 4u; k += LANES) { board[k % 4u * CHUNK + k / 4u] = ${weight}; }
      workgroupBarrier();
      for (var s = 0u; s < CHUNK / PARTS; s += UNROLL) {
        var w: mat4x4f;
        ${repeat(
          unrolled,
          (u) => `k = (s + ${u}u) * PARTS + part;
        w = mat4x4f(board[k], board[CHUNK + k], board[2u * CHUNK + k], board[3u * CHUNK + k]);
        ${repeat(TILE, (i) => `product${i} = multiplyAdd(w, x${u}[${i}], product${i});`)}`,
        )}
        if s + UNROLL < CHUNK / PARTS {
          ${repeat(
            unrolled,
            (u) => `k = first + (s + UNROLL + ${u}u) * PARTS + part;
          x${u} = rowsOfX(at, ${term("k")});`,
          )}
        }
      }
      workgroupBarrier();
    }
    ${repeat(TILE, (i) => `board[(tile * TILE + ${i}u) * PARTS + part] = product${i};`)}
    ${takeRows(h, bias)}
  }`;
}

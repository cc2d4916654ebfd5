/**
 * A block backward, from the gradient of the next Linear's output to that of its own:
 * `dh = dhpreact_next @ W_next.T`, `dhpreact = (1 - h**2) * dh`, and back through BatchNorm1d.
 *
 * The shape is that of the forward pass: a workgroup owns sixteen channels for all rows, so the two
 * sums that BatchNorm1d's backward pass needs stay in it, and gamma and beta learn here. A tile is
 * eight joined rows of the next block, and one of the FOLD places in them.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers, NormRow } from "../plan";
import { type Kernel, laneShape, learn, PARTIALS, STEP, sizes } from "./kernel";

/** See the head of this file. `next` is the block that reads this one's output. */
export function backwardKernel(plan: BlockPlan, next: BlockPlan, optimizer: Optimizer): Kernel {
  const { block, rows, fanOut4 } = plan;
  const { norm, tanh } = block;
  const tiles = next.block.fold * Math.ceil(next.rows / 8);
  return {
    name: `backward of ${block.weight}`,
    workgroups: Math.ceil(fanOut4 / 4),
    buffers: [Buffers.activations, next.block.weight, Buffers.partials, ...(norm ? [norm.gamma] : [])],
    code: /* wgsl */ `
${STEP}
@group(1) @binding(0) var<storage, read_write> activations: array<vec4f>;  // NORMALIZED, Y, DHPREACT, NEXT
@group(1) @binding(1) var<storage, read> nextWeight: array<vec4f>;         // [FOLD * FAN_OUT4 * 4, NEXT_OUT4]
@group(1) @binding(2) var<storage, read_write> partials: array<vec4f>;     // see PARTIALS
${norm ? "@group(1) @binding(3) var<storage, read_write> norm: array<vec4f>;  // rows of NormRow" : ""}

${sizes({
  ...laneShape(tiles),
  ALL_TILES: tiles,
  ROWS: rows,
  TILED_ROWS: tiles * 8,
  FAN_OUT4: fanOut4,
  FOLD: next.block.fold,
  NEXT_ROWS: next.rows,
  NEXT_OUT4: next.fanOut4,
  NORMALIZED: plan.normalized,
  Y: plan.y,
  DHPREACT: plan.gradient,
  NEXT: next.gradient,
  ...NormRow,
})}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x * 4u + lane % 2u * 2u;
  let part = lane / 2u / TILES;
  for (var tile = lane / 2u % TILES; tile < ALL_TILES && channel < FAN_OUT4; tile += TILES) {
    // dh = dhpreact_next @ W_next.T: eight rows, eight channels, every PARTS-th term
    let place = tile % FOLD;
    let joined = tile / FOLD * 8u;
    let d0 = NEXT + joined * NEXT_OUT4;
    let d1 = NEXT + min(joined + 1u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d2 = NEXT + min(joined + 2u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d3 = NEXT + min(joined + 3u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d4 = NEXT + min(joined + 4u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d5 = NEXT + min(joined + 5u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d6 = NEXT + min(joined + 6u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let d7 = NEXT + min(joined + 7u, NEXT_ROWS - 1u) * NEXT_OUT4;
    let w0 = (place * FAN_OUT4 + channel) * 4u * NEXT_OUT4;
    let w1 = w0 + NEXT_OUT4;
    let w2 = w1 + NEXT_OUT4;
    let w3 = w2 + NEXT_OUT4;
    let w4 = w3 + NEXT_OUT4;
    let w5 = w4 + NEXT_OUT4;
    let w6 = w5 + NEXT_OUT4;
    let w7 = w6 + NEXT_OUT4;
    var upperLeft = mat4x4f();
    var upperRight = mat4x4f();
    var lowerLeft = mat4x4f();
    var lowerRight = mat4x4f();
    for (var j = part; j < NEXT_OUT4; j += PARTS) {
      let upper = mat4x4f(activations[d0 + j], activations[d1 + j], activations[d2 + j], activations[d3 + j]);
      let lower = mat4x4f(activations[d4 + j], activations[d5 + j], activations[d6 + j], activations[d7 + j]);
      let left = transpose(mat4x4f(nextWeight[w0 + j], nextWeight[w1 + j], nextWeight[w2 + j], nextWeight[w3 + j]));
      let right = transpose(mat4x4f(nextWeight[w4 + j], nextWeight[w5 + j], nextWeight[w6 + j], nextWeight[w7 + j]));
      upperLeft += left * upper;
      upperRight += right * upper;
      lowerLeft += left * lower;
      lowerRight += right * lower;
    }
    for (var i = 0u; i < 4u; i++) {
      let upperAt = partialAt(group.x, part, (joined + i) * FOLD + place, channel % 4u);
      let lowerAt = partialAt(group.x, part, (joined + i + 4u) * FOLD + place, channel % 4u);
      partials[upperAt] = upperLeft[i];
      partials[upperAt + 1u] = upperRight[i];
      partials[lowerAt] = lowerLeft[i];
      partials[lowerAt + 1u] = lowerRight[i];
    }
  }
  storageBarrier();

  let c = group.x * 4u + lane % 4u;
  ${norm ? "let gamma = norm[GAMMA * FAN_OUT4 + c];\n  var own = Sums();" : ""}
  for (var row = lane / 4u; row < ROWS && c < FAN_OUT4; row += LANES / 4u) {
    let at = row * FAN_OUT4 + c;
    var dh = vec4f();
    for (var part = 0u; part < PARTS; part++) { dh += partials[partialAt(group.x, part, row, c % 4u)]; }
    ${tanh ? "let h = activations[Y + at];" : ""}
    let dhpreact = ${tanh ? "(1 - h * h) * dh" : "dh"};
    activations[DHPREACT + at] = dhpreact;
    ${norm ? "own.first += dhpreact;\n    own.second += dhpreact * activations[NORMALIZED + at];" : ""}
  }
  ${norm ? BACK_THROUGH_NORM : ""}
}
${PARTIALS}
${norm ? learn(optimizer, "norm") : ""}
`,
  };
}

/**
 * N - 1, because the forward pass normalises with the unbiased variance. A lane reads the rows that
 * it wrote itself; all have read gamma before the first ones change it.
 */
const BACK_THROUGH_NORM = /* wgsl */ `
  let sums = sumOverRows(group.x, lane, own);
  let dbeta = sums.first;
  let dgamma = sums.second;
  let scale = gamma * norm[INVERSE_DEVIATION * FAN_OUT4 + c];
  for (var row = lane / 4u; row < ROWS && c < FAN_OUT4; row += LANES / 4u) {
    let at = row * FAN_OUT4 + c;
    let dbatch = dbeta / f32(ROWS) + activations[NORMALIZED + at] * dgamma / f32(ROWS - 1u);
    activations[DHPREACT + at] = scale * (activations[DHPREACT + at] - dbatch);
  }
  if lane < 4u && c < FAN_OUT4 {
    let beta = norm[BETA * FAN_OUT4 + c];
    norm[GAMMA * FAN_OUT4 + c] = learn(gamma, dgamma, GAMMA_M * FAN_OUT4 + c, GAMMA_V * FAN_OUT4 + c);
    norm[BETA * FAN_OUT4 + c] = learn(beta, dbeta, BETA_M * FAN_OUT4 + c, BETA_V * FAN_OUT4 + c);
  }
`;

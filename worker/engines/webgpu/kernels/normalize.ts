/**
 * A wide level's forward pass, after its product. It sums the partial results of product.ts and the bias to
 * `hpreact`, then applies BatchNorm1d and tanh. As in forward.ts, a workgroup owns one vec4 of channels for all
 * rows.
 */
import { type BlockPlan, Buffers, NormRow, type Plan } from "../plan";
import { type Kernel, kernel, sizes, vec4Array } from "./kernel";
import { activation, forwardNorm, normBinding, readNorm } from "./norm";
import { shareSources } from "./product";
import { board, eachRow, held, plainRows, rowSizes, type Shape, SUMS, sumsBoard, TAKER } from "./workgroup";

/** See the top of this file. */
export function normalizeKernel(plan: Plan, level: BlockPlan, shape: Shape): Kernel {
  const { block, rows, fanIn4, fanOut4, normalized, y } = level;
  const lanes = plainRows(shape, rows);
  const h = held(lanes, "h", "Y");
  const shares = shareSources(level, shape.tiles).map((at) => `activations[${at}u + row * FAN_OUT4 + c]`);
  return kernel(
    `normalize of ${block.weight}`,
    fanOut4,
    [
      {
        buffer: Buffers.activations,
        name: "activations",
        type: vec4Array(plan, Buffers.activations),
        write: true,
      },
      ...(block.bias
        ? [{ buffer: block.weight, name: "weight", type: vec4Array(plan, block.weight) }] // [FAN_IN4 * 4, FAN_OUT4], bias
        : []),
      ...normBinding(plan, level),
    ],
    /* wgsl */ `
${sizes({
  LANES: shape.lanes,
  ROWS: rows,
  FAN_IN4: fanIn4,
  FAN_OUT4: fanOut4,
  NORMALIZED: normalized,
  Y: y,
  ...NormRow,
})}
${rowSizes(lanes)}
${board(sumsBoard(shape))}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c = group.x;
  ${TAKER}
  ${readNorm(level)}
  ${block.bias ? "let bias = weight[FAN_IN4 * 4u * FAN_OUT4 + c];" : ""}
  ${h.declare}
  ${eachRow(`${h.value} = ${shares.join(" + ")}${block.bias ? " + bias" : ""};`)}
  ${forwardNorm(level, h)}
}
${activation(level)}
${SUMS}
`,
  );
}

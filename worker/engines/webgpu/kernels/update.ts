/**
 * The gradients of the weights and their updates: `dW = x.T @ dhpreact`, `db = dhpreact.sum(0)`,
 * `p.data += -lr * p.grad`. A gradient never reaches memory.
 *
 * One kernel for several blocks, and the last of a step: nobody reads the old weights any more, so
 * they change in place. A lane owns four inputs by eight outputs of one weight and walks all rows of
 * the minibatch, four at a time; four neighbouring lanes own the same outputs.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers, type Plan } from "../plan";
import { type Kernel, learn, sizes, vec4Array } from "./kernel";
import { fourRows, header } from "./lanes";

const LANES = 64;
/** The default limit is 8 storage buffers: these, the activations and the moments. */
export const WEIGHTS_AT_ONCE = 6;

/** See the head of this file. At most WEIGHTS_AT_ONCE blocks. */
export function updateKernel(
  plan: Plan,
  blocks: readonly BlockPlan[],
  optimizer: Optimizer,
  subgroups: boolean,
): Kernel {
  let workgroups = 0;
  const weights = blocks.map(({ block, fanIn4, fanOut4, rows, x, gradient, weight }) => {
    const height4 = fanIn4 + (block.bias ? 2 : 0);
    const first = workgroups;
    workgroups += Math.ceil((Math.ceil(height4 / 4) * 4 * fanOut4) / 2 / LANES);
    // A BatchNorm1d subtracts what a bias before it adds: its gradient is 0, not a rounding error.
    const one = block.norm ? 0 : 1;
    return `Weight(${[first, rows, fanIn4, height4, fanOut4, x, gradient, weight.m, weight.v, one].join(", ")})`;
  });
  const adamw = optimizer.type === "adamw";
  const at = (i: number) => i + (adamw ? 2 : 1);
  return {
    name: `update of ${blocks.map(({ block }) => block.weight).join(", ")}`,
    workgroups,
    buffers: [
      Buffers.activations,
      ...(adamw ? [Buffers.moments] : []),
      ...blocks.map(({ block }) => block.weight),
    ],
    code: /* wgsl */ `
${header(subgroups)}
@group(1) @binding(0) var<storage, read> activations: ${vec4Array(plan, Buffers.activations)};  // every block's x and dhpreact
${adamw ? `@group(1) @binding(1) var<storage, read_write> moments: ${vec4Array(plan, Buffers.moments)};` : ""}
${blocks.map(({ block }, i) => `@group(1) @binding(${at(i)}) var<storage, read_write> weight${i}: ${vec4Array(plan, block.weight)};`).join("\n")}

${sizes({ LANES })}

struct Weight {
  firstGroup: u32,
  rows: u32,     // of x and dhpreact; up to a multiple of four, dhpreact has rows of zeros
  fanIn4: u32,   // vec4s of a row of x
  height4: u32,  // the same, and two for the bias
  fanOut4: u32,
  x: u32,
  dhpreact: u32,
  m: u32,
  v: u32,
  one: f32,      // the input of the bias
}
const weights = array<Weight, ${blocks.length}>(${weights.join(", ")});

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var which = 0u;
  for (var i = 1u; i < ${blocks.length}u; i++) { if group.x >= weights[i].firstGroup { which = i; } }
  let weight = weights[which];
  let tile = (group.x - weight.firstGroup) * LANES + lane;
  let tall = (weight.height4 + 3u) / 4u * 4u;
  let row4 = tile % tall;
  let column = tile / tall * 2u;

  // dW = x.T @ dhpreact
  var left = mat4x4f();
  var right = mat4x4f();
  var x = weight.x + min(row4, weight.fanIn4 - 1u);
  var d = weight.dhpreact + min(column, weight.fanOut4 - 2u);
  for (var row = 0u; row < weight.rows; row += 4u) {
    var xT = transpose(mat4x4f(
      activations[x],
      activations[x + weight.fanIn4],
      activations[x + 2u * weight.fanIn4],
      activations[x + 3u * weight.fanIn4],
    ));
    // db = dhpreact.sum(0): the input of the bias is always 1
    if row4 >= weight.fanIn4 { xT = mat4x4f(vec4f(weight.one), vec4f(), vec4f(), vec4f()); }
    left += dhpreactRows(d, weight.fanOut4, lane) * xT;
    right += dhpreactRows(d + 1u, weight.fanOut4, lane) * xT;
    x += 4u * weight.fanIn4;
    d += 4u * weight.fanOut4;
  }
  if row4 >= weight.height4 || column >= weight.fanOut4 { return; }
  let at = row4 * 4u * weight.fanOut4 + column;
  switch which {
    ${blocks.map((_, i) => `case ${i}u: { learnTile${i}(at, left); learnTile${i}(at + 1u, right); }`).join("\n    ")}
    default: {}
  }
}
${blocks.map((_, i) => learnTile(i)).join("")}
${fourRows("dhpreactRows", "activations", subgroups)}
${learn(optimizer, "moments")}
`,
  };
}

function learnTile(i: number): string {
  const rows = [0, 1, 2, 3].map(
    (row) => `learnRow${i}(at + ${row}u * weights[${i}].fanOut4, gradient[${row}]);`,
  );
  return /* wgsl */ `
fn learnRow${i}(at: u32, gradient: vec4f) {
  weight${i}[at] = learn(weight${i}[at], gradient, weights[${i}].m + at, weights[${i}].v + at);
}
fn learnTile${i}(at: u32, gradient: mat4x4f) {
  ${rows.join("\n  ")}
}
`;
}

/**
 * The gradients of the weights and their updates: `dW = x.T @ dhpreact`, `db = dhpreact.sum(0)`,
 * `p.data += -lr * p.grad`. A gradient never reaches memory.
 *
 * One kernel for several blocks, and the last of a step: nobody reads the old weights any more, so
 * they change in place. A lane owns a tile of 8 x 8 numbers of one weight and walks all rows of
 * the minibatch, adding an outer product for each.
 */
import type { Optimizer } from "../../optimizer";
import { type BlockPlan, Buffers } from "../plan";
import { type Kernel, learn, STEP, sizes } from "./kernel";

const LANES = 64;
/** The default limit is 8 storage buffers: these, the activations and the moments. */
export const WEIGHTS_AT_ONCE = 6;

/** See the head of this file. At most WEIGHTS_AT_ONCE blocks. */
export function updateKernel(blocks: readonly BlockPlan[], optimizer: Optimizer): Kernel {
  let workgroups = 0;
  const weights = blocks.map((plan) => {
    const { block, fanIn4, fanOut4, rows, x, gradient, weight } = plan;
    const height4 = fanIn4 + (block.bias ? 2 : 0);
    const first = workgroups;
    workgroups += Math.ceil((height4 * fanOut4) / 4 / LANES);
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
${STEP}
@group(1) @binding(0) var<storage, read> activations: array<vec4f>;  // every block's x and dhpreact
${adamw ? "@group(1) @binding(1) var<storage, read_write> moments: array<vec4f>;" : ""}
${blocks.map((_, i) => `@group(1) @binding(${at(i)}) var<storage, read_write> weight${i}: array<vec4f>;`).join("\n")}

${sizes({ LANES })}

struct Weight {
  firstGroup: u32,
  rows: u32,
  fanIn4: u32,   // vec4s of a row of x
  height4: u32,  // the same, and two for the bias
  fanOut4: u32,
  x: u32,
  dhpreact: u32,
  m: u32,
  v: u32,
  one: f32,      // the input of the bias
}
var<private> weights = array<Weight, ${blocks.length}>(${weights.join(", ")});

fn load(which: u32, at: u32) -> vec4f {
  switch which {
    ${blocks.map((_, i) => `case ${i}u: { return weight${i}[at]; }`).join("\n    ")}
    default: { return vec4f(); }
  }
}

fn store(which: u32, at: u32, value: vec4f) {
  switch which {
    ${blocks.map((_, i) => `case ${i}u: { weight${i}[at] = value; }`).join("\n    ")}
    default: {}
  }
}

// Row i is x[i] * dhpreact.
fn outer(x: vec4f, dhpreact: vec4f) -> mat4x4f {
  return mat4x4f(x.x * dhpreact, x.y * dhpreact, x.z * dhpreact, x.w * dhpreact);
}

fn apply(which: u32, row4: u32, column: u32, gradient: mat4x4f) {
  let weight = weights[which];
  var rows = gradient;
  for (var i = 0u; i < 4u; i++) {
    let at = (row4 * 4u + i) * weight.fanOut4 + column;
    store(which, at, learn(load(which, at), rows[i], weight.m + at, weight.v + at));
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var which = 0u;
  for (var i = 1u; i < ${blocks.length}u; i++) { if group.x >= weights[i].firstGroup { which = i; } }
  let weight = weights[which];
  let tile = (group.x - weight.firstGroup) * LANES + lane;
  let row4 = tile / (weight.fanOut4 / 2u) * 2u;
  let column = tile % (weight.fanOut4 / 2u) * 2u;
  if row4 >= weight.height4 { return; }

  var g00 = mat4x4f();
  var g01 = mat4x4f();
  var g10 = mat4x4f();
  var g11 = mat4x4f();
  var d = weight.dhpreact + column;
  if row4 == weight.fanIn4 {
    // db = dhpreact.sum(0)
    for (var row = 0u; row < weight.rows; row++) {
      g00[0] += weight.one * activations[d];
      g01[0] += weight.one * activations[d + 1u];
      d += weight.fanOut4;
    }
  } else {
    // dW = x.T @ dhpreact
    var x = weight.x + row4;
    for (var row = 0u; row < weight.rows; row++) {
      let x0 = activations[x];
      let x1 = activations[x + 1u];
      let d0 = activations[d];
      let d1 = activations[d + 1u];
      g00 += outer(x0, d0);
      g01 += outer(x0, d1);
      g10 += outer(x1, d0);
      g11 += outer(x1, d1);
      x += weight.fanIn4;
      d += weight.fanOut4;
    }
  }
  apply(which, row4, column, g00);
  apply(which, row4, column + 1u, g01);
  apply(which, row4 + 1u, column, g10);
  apply(which, row4 + 1u, column + 1u, g11);
}
${learn(optimizer, "moments")}
`,
  };
}

/**
 * The loss of each step of a chunk: the mean over its examples. Once a chunk, one workgroup a
 * step, so that 4 bytes a step go back to the CPU.
 */
import { Buffers, type Plan } from "../plan";
import { type Kernel, sizes } from "./kernel";

const LANES = 64;

/** See the head of this file. It is dispatched with one workgroup for each step of the chunk. */
export function lossKernel(plan: Plan): Kernel {
  return {
    name: "loss",
    workgroups: 1,
    buffers: [Buffers.exampleLosses, Buffers.losses],
    code: /* wgsl */ `
@group(1) @binding(0) var<storage, read> exampleLosses: array<f32>;   // [steps, BATCH]
@group(1) @binding(1) var<storage, read_write> losses: array<f32>;    // [steps]

${sizes({ LANES, BATCH: plan.batch })}

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var row = lane; row < BATCH; row += LANES) { sum += exampleLosses[group.x * BATCH + row]; }
  sums[lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < LANES; i++) { sum += sums[i]; }
    losses[group.x] = sum / f32(BATCH);
  }
}
`,
  };
}

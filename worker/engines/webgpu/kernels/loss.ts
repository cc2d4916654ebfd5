/**
 * Computes the loss of each step of a chunk, the mean over its examples. It runs once per chunk, with one
 * workgroup per step, so only 4 bytes per step go back to the CPU.
 */
import { Buffers, type Plan } from "../plan";
import { type Kernel, kernel, sizes } from "./kernel";

const LANES = 64;

/** See the top of this file. Dispatch it with one workgroup per step of the chunk. */
export function lossKernel(plan: Plan): Kernel {
  return kernel(
    "loss",
    1,
    [
      { buffer: Buffers.exampleLosses, name: "exampleLosses", type: "array<f32>" }, // [steps, BATCH]
      { buffer: Buffers.losses, name: "losses", type: "array<f32>", write: true }, // [steps]
    ],
    /* wgsl */ `
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
  );
}

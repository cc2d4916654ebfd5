/**
 * Whether the kernels may use the optional feature `subgroups` on a device. They take for granted that
 * lanes are numbered as they stand in their subgroups: four neighbours are a quad, and the first lanes are
 * a subgroup, whatever its size. WebGPU promises that nowhere, so each device is asked once, by a kernel of
 * 256 lanes that look around.
 */
import { inErrorScopes } from "./faults";

const LANES = 256;

const LOOK_AROUND = /* wgsl */ `
enable subgroups;
@group(0) @binding(0) var<storage, read_write> regular: array<u32>;  // [LANES], 1 where all is as expected

@compute @workgroup_size(${LANES})
fn main(@builtin(local_invocation_index) lane: u32) {
  let size = subgroupAdd(1u);
  let quad = vec4u(quadBroadcast(lane, 0u), quadBroadcast(lane, 1u), quadBroadcast(lane, 2u), quadBroadcast(lane, 3u));
  let isQuad = all(quad == vec4u(lane / 4u * 4u) + vec4u(0, 1, 2, 3));
  let first = lane / size * size;
  let ends = vec2u(subgroupMin(lane), subgroupMax(lane));
  let isSubgroup = all(ends == vec2u(first, min(first + size, ${LANES}u) - 1u));
  regular[lane] = u32(isQuad && isSubgroup);
}
`;

const known = new WeakMap<GPUDevice, Promise<boolean>>();

/** Never rejects, and ends with the device: one that cannot answer is one without. */
export function usableSubgroups(device: GPUDevice): Promise<boolean> {
  const before = known.get(device);
  if (before) return before;
  const answer = device.features.has("subgroups")
    ? Promise.race([lookAround(device), device.lost.then(() => false)]).catch(() => false)
    : Promise.resolve(false);
  known.set(device, answer);
  return answer;
}

function lookAround(device: GPUDevice): Promise<boolean> {
  return inErrorScopes(device, async () => {
    const size = LANES * 4;
    const regular = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code: LOOK_AROUND }) },
    });
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: regular } }],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(regular, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
      return new Uint32Array(staging.getMappedRange()).every((lane) => lane === 1);
    } finally {
      regular.destroy();
      staging.destroy();
    }
  });
}

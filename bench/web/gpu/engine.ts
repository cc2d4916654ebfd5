/** Times each of the engine's kernels with the GPU's timestamps. */

import { stepFactors } from "../../../worker/engines/optimizer";
import { openWebGPU } from "../../../worker/engines/tfjs/backend";
import { stepKernels } from "../../../worker/engines/webgpu/kernels";
import type { Kernel } from "../../../worker/engines/webgpu/kernels/kernel";
import { lossKernel } from "../../../worker/engines/webgpu/kernels/loss";
import { GPU_SHAPE, type Shape, SOFTWARE_SHAPE } from "../../../worker/engines/webgpu/kernels/workgroup";
import { Memory } from "../../../worker/engines/webgpu/memory";
import { Buffers, planChain } from "../../../worker/engines/webgpu/plan";
import { Program } from "../../../worker/engines/webgpu/program";
import { stateOf } from "../../../worker/optimizers";
import { median, tenths } from "./measure";
import { type Size, setUp } from "./models";
import { settings } from "./settings";
import { Timestamps } from "./timestamps";

/** Steps per submit; the engine's own number is in worker/engines/webgpu/index.ts. */
const STEPS = 64;

/** Returns the workgroup sizes that the engine uses on this GPU. */
export async function ownShape(): Promise<Shape> {
  return { ...((await openWebGPU()).software ? SOFTWARE_SHAPE : GPU_SHAPE), ...settings.shape };
}

/** Time of one kernel, microseconds on the GPU's clock; "a step" is the time of all kernels in order. */
export interface KernelTime {
  readonly name: string;
  readonly workgroups: number;
  readonly us: number;
}

/** Times all kernels; undefined if this GPU has no timestamps. */
export async function kernelTimes(size: Size): Promise<KernelTime[] | undefined> {
  const { device } = await openWebGPU();
  const timestamps = Timestamps.of(device);
  const setup = await setUp(size);
  const { chain } = setup.network;
  if (!timestamps || !chain) return undefined;
  const { optimizer, batchSize, stream, seed } = setup;
  const states = stateOf(optimizer).map(([state]) => state);
  const plan = planChain(chain, batchSize, states.length);
  const memory = new Memory(device, plan, states, {
    [Buffers.steps]: Program.tableSize(STEPS),
    [Buffers.stream]: stream.byteLength,
    [Buffers.positions]: STEPS * batchSize * 4,
    [Buffers.exampleLosses]: STEPS * batchSize * 4,
    [Buffers.losses]: STEPS * 4,
  });
  memory.allocate();
  memory.write({ parameters: setup.parameters });
  memory.writeWhole(Buffers.stream, stream);
  try {
    const kernels = stepKernels(plan, { stream, seed, tables: undefined }, optimizer, await ownShape());
    const steps = Math.min(STEPS, settings.mostSteps);
    const timed = async (list: readonly Kernel[]) => {
      const program = await Program.compile(device, memory, list, lossKernel(plan));
      program.uploadSteps(0, stepFactors(optimizer, 0, new Float32Array(steps)), () => 0, false);
      const times: number[] = [];
      // The first run is a warm-up.
      for (let i = 0; i <= settings.repeats; i++) {
        const encoder = device.createCommandEncoder();
        program.encodeSteps(encoder, 0, steps, timestamps.writes);
        device.queue.submit([encoder.finish()]);
        times.push((await timestamps.read()) / steps);
      }
      return tenths(median(times.slice(1)));
    };
    const all = { name: "a step", workgroups: 0, us: await timed(kernels) };
    const alone: KernelTime[] = [];
    for (const kernel of kernels)
      alone.push({ name: kernel.name, workgroups: kernel.workgroups, us: await timed([kernel]) });
    return [...alone, all];
  } finally {
    memory.dispose();
  }
}

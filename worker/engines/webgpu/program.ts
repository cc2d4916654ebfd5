/**
 * The kernels of a training step, compiled and bound, and the table that tells one step from
 * another. A chunk of training is the list of kernels, dispatched once per step; the bind groups are
 * always the same, and only the offset into the table moves.
 */
import { MakemoreError } from "../../../src/errors";
import { FACTORS } from "../optimizer";
import { type Kernel, STEP_WORDS } from "./kernels/kernel";
import type { Memory } from "./memory";
import { Buffers } from "./plan";

/** A kernel that is ready to be dispatched. */
interface Stage {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: number;
}

/** Bytes from step to step: every device allows offsets that are multiples of this. */
const STRIDE = 256;

/** What a chunk of steps consists of. It has no memory of its own. */
export class Program {
  readonly #device: GPUDevice;
  readonly #table: GPUBuffer;
  readonly #tableGroup: GPUBindGroup;
  readonly #stages: readonly Stage[];
  readonly #afterChunk: Stage;

  private constructor(
    device: GPUDevice,
    table: GPUBuffer,
    tableGroup: GPUBindGroup,
    stages: readonly Stage[],
    afterChunk: Stage,
  ) {
    this.#device = device;
    this.#table = table;
    this.#tableGroup = tableGroup;
    this.#stages = stages;
    this.#afterChunk = afterChunk;
  }

  /** Bytes of the table for chunks of that many steps. */
  static tableSize(capacity: number): number {
    return capacity * STRIDE;
  }

  /**
   * Compiles all kernels at once. What the GPU objects to comes as a rejection, or to the error
   * scopes that stand around the call.
   *
   * @param kernels of a step, in their order
   * @param afterChunk dispatched once after the steps, with a workgroup for each of them
   * @throws MakemoreError `UNSUPPORTED` where a kernel takes more workgroups than this GPU allows
   */
  static async compile(
    device: GPUDevice,
    memory: Memory,
    kernels: readonly Kernel[],
    afterChunk: Kernel,
  ): Promise<Program> {
    const limit = device.limits.maxComputeWorkgroupsPerDimension;
    for (const { name, workgroups } of kernels)
      if (workgroups > limit)
        throw new MakemoreError(
          "UNSUPPORTED",
          `Training this model takes ${workgroups} workgroups (${name}), and this GPU allows ${limit}; make the model or the batch smaller, or use the wasm backend.`,
        );
    const visibility = GPUShaderStage.COMPUTE;
    const table = memory.buffer(Buffers.steps);
    const tableLayout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility, buffer: { type: "uniform", hasDynamicOffset: true } }],
    });
    const tableGroup = device.createBindGroup({
      layout: tableLayout,
      entries: [{ binding: 0, resource: { buffer: table, size: STEP_WORDS * 4 } }],
    });
    const prepare = async ({ name, code, bindings, workgroups }: Kernel): Promise<Stage> => {
      const layout = device.createBindGroupLayout({
        entries: bindings.map(({ write }, binding) => ({
          binding,
          visibility,
          buffer: { type: write ? "storage" : "read-only-storage" },
        })),
      });
      const group = device.createBindGroup({
        layout,
        entries: bindings.map(({ buffer }, binding) => ({
          binding,
          resource: { buffer: memory.buffer(buffer) },
        })),
      });
      const pipeline = await device.createComputePipelineAsync({
        label: name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [tableLayout, layout] }),
        compute: { module: device.createShaderModule({ label: name, code }), entryPoint: "main" },
      });
      return { pipeline, group, workgroups };
    };
    const [after, stages] = await Promise.all([prepare(afterChunk), Promise.all(kernels.map(prepare))]);
    return new Program(device, table, tableGroup, stages, after);
  }

  /**
   * Uploads the table of a chunk.
   *
   * @param firstStep the number of its first step
   * @param factors of each step: `stepFactors`
   * @param teacherWeight the teacher's weight at a step
   * @param given whether the minibatches are in the buffer of positions
   */
  uploadSteps(
    firstStep: number,
    factors: Float32Array,
    teacherWeight: (step: number) => number,
    given: boolean,
  ): void {
    const steps = factors.length / FACTORS;
    const rows = new DataView(new ArrayBuffer(steps * STRIDE));
    for (let i = 0; i < steps; i++) {
      const at = i * STRIDE;
      rows.setUint32(at, firstStep + i, true);
      rows.setUint32(at + 4, i, true);
      rows.setUint32(at + 8, given ? 1 : 0, true);
      for (let f = 0; f < 3; f++) rows.setFloat32(at + 12 + f * 4, factors[i * FACTORS + f] ?? 0, true);
      rows.setFloat32(at + 24, teacherWeight(firstStep + i), true);
    }
    this.#device.queue.writeBuffer(this.#table, 0, rows);
  }

  /**
   * Records steps [from, to) of the uploaded chunk.
   *
   * @param timestampWrites for measurements: where to note the GPU's clock
   */
  encodeSteps(
    encoder: GPUCommandEncoder,
    from: number,
    to: number,
    timestampWrites?: GPUComputePassTimestampWrites,
  ): void {
    const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    for (let i = from; i < to; i++) {
      pass.setBindGroup(0, this.#tableGroup, [i * STRIDE]);
      for (const stage of this.#stages) dispatch(pass, stage, stage.workgroups);
    }
    pass.end();
  }

  /** Records what follows the last of a chunk's `steps`. */
  encodeEnd(encoder: GPUCommandEncoder, steps: number): void {
    const pass = encoder.beginComputePass();
    pass.setBindGroup(0, this.#tableGroup, [0]);
    dispatch(pass, this.#afterChunk, steps);
    pass.end();
  }
}

function dispatch(pass: GPUComputePassEncoder, { pipeline, group }: Stage, workgroups: number): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(1, group);
  pass.dispatchWorkgroups(workgroups);
}

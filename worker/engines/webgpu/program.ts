/**
 * The compiled kernels of a training step with their bind groups, and the table of values that differ per
 * step. A chunk dispatches the list of kernels once per step. The bind groups stay the same; only the
 * offset into the table changes.
 */
import { MakemoreError } from "../../../src/errors";
import { FACTORS } from "../optimizer";
import { type Kernel, STEP_WORDS } from "./kernels/kernel";
import type { Memory } from "./memory";
import { Buffers } from "./plan";

/** A kernel that is ready to dispatch. */
interface Stage {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: number;
}

/** Bytes per step in the table: every device allows offsets that are multiples of this. */
const STRIDE = 256;

/** Records chunks of steps. It allocates no memory itself. */
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

  /** Bytes of the table for chunks of `capacity` steps. */
  static tableSize(capacity: number): number {
    return capacity * STRIDE;
  }

  /**
   * Compiles all kernels in parallel. Errors of the GPU reject the promise, or go to the error scopes around
   * the call.
   *
   * @param kernels of a step, in order
   * @param afterChunk kernel to dispatch once after the steps, with one workgroup per step
   * @throws MakemoreError `UNSUPPORTED` if a kernel takes more workgroups than this GPU allows
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
   * @param firstStep number of its first step
   * @param factors result of `stepFactors`
   * @param teacherWeight returns the teacher's weight at a step
   * @param given whether to use the minibatches in the buffer of positions
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
   * @param timestampWrites where to write the GPU's timestamps, for benchmarks
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

  /** Records what comes after the last of a chunk's `steps`. */
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

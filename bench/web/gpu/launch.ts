/** Measures overhead of the browser and the GPU: empty dispatches, answers, and a chunk of one step. */
import { nextTask } from "../../../src/slices";
import { openWebGPU } from "../../../worker/engines/tfjs/backend";
import { createWebGPUEngine } from "../../../worker/engines/webgpu";
import { inErrorScopes } from "../../../worker/engines/webgpu/deviceErrors";
import { median, repeated, tenths, time } from "./measure";
import { adamw, setUp } from "./models";
import { settings } from "./settings";
import { Timestamps } from "./timestamps";

/** Each lane changes its own number, so that a dispatch must wait for the one before. */
const TRIVIAL = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> numbers: array<vec4f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) { numbers[id.x] = numbers[id.x] * 0.5 + 1; }
`;
const WORKGROUPS = 32;

export interface Launch {
  /** A dispatch that depends on the previous one, in one large submit; microseconds. */
  readonly dispatchUs: number;
  /** The same in submits of 256 dispatches, recorded while the GPU works. */
  readonly dispatchInPiecesUs: number;
  /** The part that the GPU itself takes, if it has timestamps. */
  readonly dispatchOnGPUUs?: number;
  /** Latency of small operations, by name; microseconds. */
  readonly answersUs: Readonly<Record<string, number>>;
}

/** Runs the measurements. */
export async function launch(): Promise<Launch> {
  const { device } = await openWebGPU();
  const { queue } = device;
  const numbers = device.createBuffer({
    size: WORKGROUPS * 64 * 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const staging = device.createBuffer({
    size: 1024,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code: TRIVIAL }) },
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: numbers } }],
  });
  const submit = (dispatches: number, timestampWrites?: GPUComputePassTimestampWrites, copies = false) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    for (let i = 0; i < dispatches; i++) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(WORKGROUPS);
    }
    pass.end();
    if (copies) encoder.copyBufferToBuffer(numbers, 0, staging, 0, 1024);
    queue.submit([encoder.finish()]);
  };
  const mapped = async () => {
    await staging.mapAsync(GPUMapMode.READ);
    staging.unmap();
  };

  const many = Math.min(4096, 8 * settings.mostSteps);
  const answer = await repeated(() =>
    time(() => {
      submit(1);
      return queue.onSubmittedWorkDone();
    }),
  );
  const perDispatch = async (piece: number) => {
    const ms = await repeated(() =>
      time(() => {
        for (let from = 0; from < many; from += piece) submit(Math.min(piece, many - from));
        return queue.onSubmittedWorkDone();
      }),
    );
    return tenths(((ms - answer) * 1000) / many);
  };
  const timestamps = Timestamps.of(device);
  let dispatchOnGPUUs: number | undefined;
  if (timestamps) {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      submit(many, timestamps.writes);
      times.push((await timestamps.read()) / many);
    }
    dispatchOnGPUUs = tenths(median(times));
  }
  const dispatchUs = await perDispatch(many);
  const dispatchInPiecesUs = await perDispatch(256);

  // The parts of a chunk of one step; each entry adds one more.
  const waits: Record<string, () => Promise<unknown>> = {
    "submit, onSubmittedWorkDone": () => {
      submit(1);
      return queue.onSubmittedWorkDone();
    },
    "submit, mapAsync": () => {
      submit(1, undefined, true);
      return mapped();
    },
    "submit, mapAsync, asked every 0.2 ms": async () => {
      submit(1, undefined, true);
      let waiting = true;
      const answered = mapped().finally(() => {
        waiting = false;
      });
      // Chromium checks for finished work every 1 to 2 ms, and on each request.
      for (let asked = performance.now(); waiting; ) {
        await nextTask();
        if (performance.now() - asked < 0.2) continue;
        asked = performance.now();
        void queue.onSubmittedWorkDone();
      }
      await answered;
    },
    "submit of 9 dispatches, mapAsync": () => {
      submit(9, undefined, true);
      return mapped();
    },
    "and writeBuffer": () => {
      queue.writeBuffer(numbers, 0, new Float32Array(64));
      submit(9, undefined, true);
      return mapped();
    },
    "and error scopes": () =>
      inErrorScopes(device, () => {
        queue.writeBuffer(numbers, 0, new Float32Array(64));
        submit(9, undefined, true);
        return mapped();
      }),
    "error scopes alone": () => inErrorScopes(device, async () => {}),
  };
  const engine = await createWebGPUEngine(await setUp({ model: "wavenet", batchSize: 64, optimizer: adamw }));
  for (const steps of [1, 2, 4, 32])
    waits[`engine, ${steps} steps`] = () => engine.run(0, new Float32Array(steps));
  waits["engine, read"] = () => engine.read();
  const answersUs: Record<string, number> = {};
  for (const [name, wait] of Object.entries(waits)) {
    await wait();
    answersUs[name] = tenths(1000 * (await repeated(() => time(wait))));
  }
  engine.dispose();
  for (const buffer of [numbers, staging]) buffer.destroy();
  return {
    dispatchUs,
    dispatchInPiecesUs,
    ...(dispatchOnGPUUs === undefined ? {} : { dispatchOnGPUUs }),
    answersUs,
  };
}

/**
 * Which calls the fused WebGPU engine makes, and what it does when the GPU fails. The tests wrap the browser's own
 * classes, so they do not depend on how the engine works.
 */
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import type { LayerSpec } from "../../src/types";
import { isEngineLost } from "../../worker/engines/engine";
import { closeWebGPU, openWebGPU } from "../../worker/engines/tfjs/backend";
import { sharedTensors } from "../../worker/engines/tfjs/sharedTensors";
import { createWebGPUEngine } from "../../worker/engines/webgpu";
import { stepKernels } from "../../worker/engines/webgpu/kernels";
import type { Binding } from "../../worker/engines/webgpu/kernels/kernel";
import { GPU_SHAPE, SOFTWARE_SHAPE } from "../../worker/engines/webgpu/kernels/workgroup";
import { planChain } from "../../worker/engines/webgpu/plan";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, type Network } from "../../worker/model/network";
import { adamw, small, someRates, someSetup } from "../engineSetups";
import { largestDifference } from "../pytorch";
import { create, disposeAll } from "../webgpuEngine";

afterEach(() => {
  vi.restoreAllMocks();
  disposeAll();
});

/** Tracks the GPU buffers that are created from now on: those not yet destroyed, and all of them by label. */
function countBuffers(): { alive: Set<GPUBuffer>; byLabel: Map<string, GPUBuffer> } {
  const alive = new Set<GPUBuffer>();
  const byLabel = new Map<string, GPUBuffer>();
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  vi.spyOn(GPUDevice.prototype, "createBuffer").mockImplementation(function (this: GPUDevice, descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    alive.add(buffer);
    byLabel.set(buffer.label, buffer);
    return buffer;
  });
  vi.spyOn(GPUBuffer.prototype, "destroy").mockImplementation(function (this: GPUBuffer) {
    alive.delete(this);
    destroy.call(this);
  });
  return { alive, byLabel };
}

test("a chunk submits every 32 steps without a wait, calls mapAsync once, and creates no objects", async () => {
  const network = buildNetwork(architecture({ contextLength: 8, embedding: 8, hidden: 16 }), 27);
  const engine = await create(someSetup(network));
  const submit = vi.spyOn(GPUQueue.prototype, "submit");
  const done = vi.spyOn(GPUQueue.prototype, "onSubmittedWorkDone");
  const map = vi.spyOn(GPUBuffer.prototype, "mapAsync");
  const write = vi.spyOn(GPUQueue.prototype, "writeBuffer");
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, "dispatchWorkgroups");
  const buffers = vi.spyOn(GPUDevice.prototype, "createBuffer");
  const groups = vi.spyOn(GPUDevice.prototype, "createBindGroup");
  const pipelines = vi.spyOn(GPUDevice.prototype, "createComputePipelineAsync");
  const steps = 70;
  const run = engine.run(0, someRates(steps));
  // The whole chunk is submitted before anything is awaited.
  expect(submit).toHaveBeenCalledTimes(3);
  expect(map).toHaveBeenCalledTimes(1);
  expect(await run).toHaveLength(steps);
  expect(submit).toHaveBeenCalledTimes(3);
  expect(done).not.toHaveBeenCalled();
  expect(map).toHaveBeenCalledTimes(1);
  expect(write).toHaveBeenCalledTimes(1);
  // Per step: three levels forward, head, three levels backward, embedding. Per chunk: the mean losses.
  expect(dispatch).toHaveBeenCalledTimes(8 * steps + 1);
  expect(buffers).not.toHaveBeenCalled();
  expect(groups).not.toHaveBeenCalled();
  expect(pipelines).not.toHaveBeenCalled();
});

test("a short chunk polls the GPU for finished work at most 21 times, and never waits for the answer", async () => {
  const engine = await create(someSetup(small));
  const asked = vi
    .spyOn(GPUQueue.prototype, "onSubmittedWorkDone")
    .mockReturnValue(new Promise<undefined>(() => {}));
  const map = vi.spyOn(GPUBuffer.prototype, "mapAsync");
  expect(await engine.run(0, someRates(1))).toHaveLength(1);
  expect(map).toHaveBeenCalledTimes(1);
  // For 4 ms, every 0.2 ms.
  expect(asked.mock.calls.length).toBeLessThanOrEqual(21);
});

/** Sizes at which the kernels divide their work in different ways. */
const sizes: readonly [name: string, network: Network, batchSize: number][] = [
  ["the default model, batch 32", buildNetwork(architecture("wavenet"), 27), 32],
  ["the default model, batch 1024", buildNetwork(architecture("wavenet"), 27), 1024],
  ["mlp", buildNetwork(architecture("mlp"), 27), 32],
  ["hidden 1024, batch 256", buildNetwork(architecture({ hidden: 1024, embedding: 64 }), 27), 256],
  ["hidden 1100, batch 250", buildNetwork(architecture({ hidden: 1100, embedding: 6 }), 27), 250],
  ["hidden 1500, 3000 ids", buildNetwork(architecture({ hidden: 1500 }), 3000), 33],
  ["context 64 at once", buildNetwork(architecture({ contextLength: 64, folds: [64] }), 100), 20],
];

/**
 * Adds a second entry point to a kernel. It has the same workgroup size and only refers to all of the kernel's memory, so
 * the browser checks it against the same limits as `main`. SwiftShader compiles it at once; `main` would take seconds.
 */
function withLimits(code: string, bindings: readonly Binding[]): string {
  const entry = "@compute @workgroup_size(LANES)\nfn main(";
  expect(code).toContain(entry);
  expect(code.split("var<workgroup>")).toHaveLength(2);
  const touched = ["board", "step", ...bindings.map(({ name }) => name)];
  return `${code}
@compute @workgroup_size(LANES)
fn limits() {
  board[0] = vec4f();
  ${touched.map((name) => `_ = &${name};`).join("\n  ")}
}`;
}

test("a kernel that exceeds the limits is refused", async () => {
  const device = (await (await navigator.gpu.requestAdapter())?.requestDevice()) ?? expect.fail("no GPU");
  onTestFinished(() => device.destroy());
  const code = (lanes: number, board: number) =>
    withLimits(
      `const LANES = ${lanes}u;\nvar<workgroup> board: array<vec4f, ${board}>;
@group(0) @binding(0) var<uniform> step: vec4f;
@compute @workgroup_size(LANES)\nfn main() { board[0] = step; }`,
      [],
    );
  const made = (lanes: number, board: number) =>
    device.createComputePipelineAsync({
      layout: "auto",
      compute: {
        module: device.createShaderModule({ code: code(lanes, board) }),
        entryPoint: "limits",
      },
    });
  await expect(made(256, 1024)).resolves.toBeDefined();
  await expect(made(257, 1024)).rejects.toThrow();
  await expect(made(256, 1025)).rejects.toThrow();
});

test.each(
  sizes.flatMap(([name, network, batchSize]) =>
    [GPU_SHAPE, SOFTWARE_SHAPE].map((shape) => ({ name, network, batchSize, shape, lanes: shape.lanes })),
  ),
)("kernels are valid and keep to WebGPU's default limits: $name, $lanes lanes", async (size) => {
  const { network, batchSize, shape } = size;
  const chain = network.chain ?? expect.fail("no chain of blocks");
  const { stream, seed } = someSetup(network);
  // Soft targets with a teacher, and AdamW, because they need the most bindings.
  const tables = {
    order: "even",
    soft: true,
    taught: true,
    sorted: 0,
    ranks: 0,
    contexts: 9,
    pairs: 99,
  } as const;
  const kernels = stepKernels(planChain(chain, batchSize, 2), { stream, seed, tables }, adamw, shape);
  // A device without required limits has the default limits, and the browser enforces them.
  const device = (await (await navigator.gpu.requestAdapter())?.requestDevice()) ?? expect.fail("no GPU");
  onTestFinished(() => device.destroy());
  expect(device.limits.maxComputeWorkgroupStorageSize).toBe(16384);
  const made = await Promise.allSettled(
    kernels.map(async ({ name, code, bindings }) => {
      const module = device.createShaderModule({ code: withLimits(code, bindings) });
      const { messages } = await module.getCompilationInfo();
      expect(messages.map(({ message }) => `${name}: ${message}`)).toEqual([]);
      const compute = { module, entryPoint: "limits" };
      return device.createComputePipelineAsync({ label: name, layout: "auto", compute });
    }),
  );
  expect(made.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []))).toEqual([]);
  for (const { name, workgroups } of kernels)
    expect(workgroups, name).toBeLessThanOrEqual(device.limits.maxComputeWorkgroupsPerDimension);
});

test("only wide levels use tiles; the default training has none", () => {
  const products = (model: Parameters<typeof architecture>[0], batchSize: number) => {
    const network = buildNetwork(architecture(model), 27);
    const { stream, seed } = someSetup(network);
    const plan = planChain(network.chain ?? expect.fail("no chain of blocks"), batchSize, 2);
    const kernels = stepKernels(plan, { stream, seed, tables: undefined }, adamw, GPU_SHAPE);
    return kernels.filter(({ name }) => /^(product|update)/.test(name)).length;
  };
  expect(products("wavenet", 1024)).toBe(0);
  expect(products({ hidden: 512, embedding: 48 }, 64)).toBe(0);
  expect(products({ hidden: 1024, embedding: 64 }, 64)).toBe(0);
  expect(products({ hidden: 512, embedding: 48 }, 256)).toBe(6);
  expect(products({ hidden: 1024, embedding: 64 }, 256)).toBe(6);
});

test("the default training has enough workgroups for the cores of a GPU", () => {
  const network = buildNetwork(architecture("wavenet"), 27);
  const chain = network.chain ?? expect.fail("no chain of blocks");
  const { stream, seed } = someSetup(network);
  const drawn = { stream, seed, tables: undefined };
  const workgroups = stepKernels(planChain(chain, 64, 2), drawn, adamw, GPU_SHAPE).map(
    (kernel) => kernel.workgroups,
  );
  expect(workgroups).toHaveLength(8);
  // Two workgroups for each of the 8 cores of an integrated GPU.
  expect(workgroups.filter((count) => count >= 16)).toHaveLength(8);
  // One for each of a discrete GPU's 28 cores, in all kernels except the head, which has little work.
  expect(workgroups.filter((count) => count >= 28)).toHaveLength(7);
});

test("a device without optional features or raised limits trains with the same numbers", async () => {
  const setup = someSetup(small);
  const expected = await (await create(setup)).run(0, someRates(3));
  closeWebGPU();
  const { requestDevice } = GPUAdapter.prototype;
  vi.spyOn(GPUAdapter.prototype, "requestDevice").mockImplementation(function (this: GPUAdapter) {
    return requestDevice.call(this);
  });
  const { device } = await openWebGPU();
  // The value that WebGPU's specification guarantees.
  expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
  expect(device.limits.maxComputeWorkgroupStorageSize).toBe(16384);
  expect(device.features.has("timestamp-query")).toBe(false);
  const losses = await (await create(setup)).run(0, someRates(3));
  // Tolerance: float32 sums in another order.
  expect(largestDifference(losses, expected)).toBeLessThan(1e-5);
  closeWebGPU();
});

test("20 engines leave no buffers", async () => {
  await openWebGPU();
  const { alive } = countBuffers();
  for (let i = 0; i < 20; i++) {
    const engine = await createWebGPUEngine(someSetup(small));
    await engine.run(0, someRates(2));
    await engine.read();
    expect(alive.size).toBeGreaterThan(0);
    engine.dispose();
    engine.dispose();
    expect(alive.size).toBe(0);
  }
});

test("if the device is destroyed in mid-run, the run rejects; a new engine goes on with the same bits", async () => {
  const setup = someSetup(small);
  const rates = someRates(40);
  const unbroken = await create(setup);
  const losses = await unbroken.run(0, rates);
  const end = await unbroken.read();

  const engine = await create(setup);
  await engine.run(0, rates.subarray(0, 10));
  const snapshot = await engine.read();
  const { device } = await openWebGPU();
  const broken = engine.run(10, rates.subarray(10));
  device.destroy();
  const error: unknown = await broken.catch((reason: unknown) => reason);
  expect(isEngineLost(error)).toBe(true);
  expect(String(error)).toMatch(/lost.*destroyed/);
  await expect(engine.run(10, rates.subarray(10))).rejects.toBe(error);
  await expect(engine.read()).rejects.toBe(error);
  await expect(sharedTensors(engine)).rejects.toBe(error);
  // The unbroken engine used the same device, so its calls reject too.
  await expect(unbroken.read()).rejects.toSatisfy(isEngineLost);
  engine.dispose();

  const next = await create({ ...setup, ...snapshot });
  expect((await openWebGPU()).device).not.toBe(device);
  expect(await next.run(10, rates.subarray(10))).toEqual(losses.slice(10));
  expect(await next.read()).toEqual(end);
});

test("the run rejects even if the device is lost while the GPU no longer answers", async () => {
  await closeWebGPU();
  let lose: (info: GPUDeviceLostInfo) => void = () => {};
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = resolve;
  });
  vi.spyOn(GPUDevice.prototype, "lost", "get").mockReturnValue(lost);
  const engine = await create(someSetup(small));
  vi.spyOn(GPUBuffer.prototype, "mapAsync").mockReturnValue(new Promise(() => {}));
  const run = engine.run(0, someRates(3));
  lose({ __brand: "GPUDeviceLostInfo", reason: "unknown", message: "the driver was reset" });
  await expect(run).rejects.toThrow("the driver was reset");
  await expect(run).rejects.toSatisfy(isEngineLost);
  vi.restoreAllMocks();
  engine.dispose();
  await closeWebGPU();
  expect(await (await create(someSetup(small))).run(0, someRates(3))).toHaveLength(3);
});

test("if the GPU reports an error, the run rejects with its message", async () => {
  const { byLabel } = countBuffers();
  const engine = await create(someSetup(small));
  byLabel.get("losses")?.destroy();
  const error: unknown = await engine.run(0, someRates(3)).catch((reason: unknown) => reason);
  expect(isEngineLost(error)).toBe(true);
  expect(String(error)).toContain("losses");
  await expect(engine.run(0, someRates(3))).rejects.toBe(error);
});

test("dispose in mid-run rejects the run", async () => {
  const engine = await create(someSetup(small));
  const run = engine.run(0, someRates(30));
  engine.dispose();
  await expect(run).rejects.toSatisfy(isEngineLost);
  await expect(engine.run(0, someRates(1))).rejects.toSatisfy(isEngineLost);
});

test("if memory runs out while the engine is created, it rejects and leaves no buffers", async () => {
  await openWebGPU();
  const { alive } = countBuffers();
  const { createBuffer } = GPUDevice.prototype;
  vi.spyOn(GPUDevice.prototype, "createBuffer").mockImplementation(function (this: GPUDevice, descriptor) {
    // More than any GPU has: the browser creates an invalid buffer and reports it to the error scope.
    return createBuffer.call(
      this,
      descriptor.label === "activations" ? { ...descriptor, size: 2 ** 45 } : descriptor,
    );
  });
  const made = createWebGPUEngine(someSetup(small));
  await expect(made).rejects.toThrow(MakemoreError);
  await expect(made).rejects.toMatchObject({ code: "UNSUPPORTED" });
  expect(alive.size).toBe(0);
});

test("a model that exceeds the GPU's limits is refused, with its size in bytes, before memory is taken", async () => {
  const layers: LayerSpec[] = [
    { type: "Embedding", dimensions: 2 },
    { type: "FlattenConsecutive", n: 2 },
    { type: "Linear", fanOut: 65528 },
    { type: "Linear" },
  ];
  await openWebGPU();
  const { alive } = countBuffers();
  const made = createWebGPUEngine(someSetup(buildNetwork(layers, 3), { batchSize: 4096 }));
  await expect(made).rejects.toMatchObject({ code: "UNSUPPORTED" });
  await expect(made).rejects.toThrow(/takes 2\d{9} bytes/);
  expect(alive.size).toBe(0);
});

test("a network that is not a chain of blocks is refused", async () => {
  const layers: LayerSpec[] = [
    { type: "Embedding", dimensions: 4 },
    { type: "Linear", fanOut: 4 },
    { type: "Tanh" },
    { type: "BatchNorm1d" },
    { type: "Linear" },
  ];
  const made = createWebGPUEngine(someSetup(buildNetwork(layers, 5)));
  await expect(made).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("no adapter or no device rejects with UNSUPPORTED, and the next attempt asks again", async () => {
  await closeWebGPU();
  vi.spyOn(navigator.gpu, "requestAdapter").mockResolvedValue(null);
  await expect(createWebGPUEngine(someSetup(small))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  vi.restoreAllMocks();
  vi.spyOn(GPUAdapter.prototype, "requestDevice").mockRejectedValue(new DOMException("no", "OperationError"));
  await expect(createWebGPUEngine(someSetup(small))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  vi.restoreAllMocks();
  expect((await create(someSetup(small))).device).toContain("swiftshader");
});

import { describe, expect, onTestFinished, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { closeWebGPU, openBackend, openWebGPU, tf } from "../../worker/engines/tfjs/backend";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { testFamilies, tfjsLogits } from "../families";
import { testTfjsEngine } from "../tfjsEngine";

const wasmURL = new URL(
  "/node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
  location.href,
);

const network = buildNetwork(architecture({ contextLength: 4, embedding: 5, hidden: 12 }), 5);
const setup = {
  network,
  parameters: initialParameters(network, 1),
  optimizer: { type: "sgd" },
  stream: Uint8Array.of(0, 1, 2, 3, 0, 4, 4, 0),
  seed: 5,
  batchSize: 8,
} as const;

describe("wasm", () => {
  test("a URL without the .wasm file is refused and named, and the right URL still works", async () => {
    // Vite answers an unknown URL with its HTML page, as many servers do.
    const wrong = new URL("/nowhere/tfjs.wasm", location.href);
    await expect(openBackend("wasm", wrong)).rejects.toThrow(MakemoreError);
    await expect(openBackend("wasm", wrong)).rejects.toMatchObject({ code: "LOAD_FAILED" });
    await expect(openBackend("wasm", wrong)).rejects.toThrow(wrong.href);
    await expect(openBackend("wasm")).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("a file that is cut short and a lack of memory are told apart, and the next start works", async () => {
    onTestFinished(() => void vi.restoreAllMocks());
    const real = fetch;
    const half = async (...given: Parameters<typeof fetch>) => {
      const bytes = await (await real(...given)).arrayBuffer();
      return new Response(bytes.slice(0, bytes.byteLength / 2));
    };
    const fetching = vi.spyOn(globalThis, "fetch").mockImplementation(half);
    const damaged = { code: "LOAD_FAILED", message: expect.stringContaining("arrived damaged") };
    await expect(openBackend("wasm", wasmURL)).rejects.toMatchObject(damaged);
    // The first time it arrives whole.
    fetching.mockImplementationOnce(real);
    await expect(openBackend("wasm", wasmURL)).rejects.toMatchObject(damaged);
    fetching.mockRestore();
    const refuse = async () => {
      throw new RangeError("Out of memory");
    };
    vi.spyOn(WebAssembly, "instantiate").mockImplementation(refuse);
    vi.spyOn(WebAssembly, "instantiateStreaming").mockImplementation(refuse);
    await expect(openBackend("wasm", wasmURL)).rejects.toMatchObject({
      code: "WORKER_FAILED",
      message: expect.stringContaining("lacks memory"),
    });
    vi.restoreAllMocks();
    // Only what tfjs fetches is cut short, once: it starts again.
    vi.spyOn(globalThis, "fetch").mockImplementationOnce(real).mockImplementationOnce(half);
    expect(await openBackend("wasm", wasmURL)).toMatchObject({ backend: "wasm" });
  });

  test("a software adapter is skipped in favour of wasm, or of cpu if there is no wasm", async () => {
    expect(await openBackend(undefined, wasmURL)).toMatchObject({ backend: "wasm" });
    expect(await openBackend()).toMatchObject({ backend: "cpu" });
  });

  testTfjsEngine({ backend: "wasm", wasmURL });

  const options = { backend: "wasm", wasmURL } as const;
  testFamilies((setup) => createTfjsEngine(setup, options), "tfjs", tfjsLogits(options));
});

test("if the GPU refuses a device, wasm is used", async () => {
  closeWebGPU();
  // Disguise the software adapter, so that it is not skipped because of its name.
  vi.spyOn(GPUAdapterInfo.prototype, "description", "get").mockReturnValue("some GPU");
  vi.spyOn(GPUAdapterInfo.prototype, "vendor", "get").mockReturnValue("");
  vi.spyOn(GPUAdapterInfo.prototype, "architecture", "get").mockReturnValue("");
  vi.spyOn(GPUAdapterInfo.prototype, "device", "get").mockReturnValue("");
  vi.spyOn(GPUAdapterInfo.prototype, "isFallbackAdapter", "get").mockReturnValue(false);
  const request = vi.spyOn(GPUAdapter.prototype, "requestDevice").mockRejectedValue(new Error("no"));
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await openBackend(undefined, wasmURL)).toMatchObject({ backend: "wasm" });
  expect(request).toHaveBeenCalled();
});

describe("webgpu", () => {
  testTfjsEngine({ backend: "webgpu" }, { slow: true });

  test("openWebGPU names the adapter, and all callers share one device", async () => {
    const a = await openWebGPU();
    const b = await openWebGPU();
    expect(a.device).toBe(b.device);
    expect(a.name).toMatch(/swiftshader/i);
    const engine = await createTfjsEngine(setup, { backend: "webgpu" });
    expect(engine.device).toBe(a.name);
    engine.dispose();
  });

  test("after a lost device, a run rejects with the reason, and the next engine gets a new device", async () => {
    const rates = new Float32Array(3).fill(0.1);
    const engine = await createTfjsEngine(setup, { backend: "webgpu" });
    const expected = await engine.run(0, rates);
    const { device } = await openWebGPU();
    device.destroy();
    await device.lost;
    await expect(engine.run(3, rates)).rejects.toMatchObject({ name: "EngineLost" });
    await expect(engine.read()).rejects.toThrow("was lost");
    engine.dispose();
    expect(tf.memory().numTensors).toBe(0);

    const next = await createTfjsEngine(setup, { backend: "webgpu" });
    expect((await openWebGPU()).device).not.toBe(device);
    expect(await next.run(0, rates)).toEqual(expected);
    next.dispose();
  });

  test("a run rejects if its device is lost meanwhile", async () => {
    const engine = await createTfjsEngine(setup, { backend: "webgpu" });
    const { device } = await openWebGPU();
    const run = engine.run(0, new Float32Array(20).fill(0.1));
    // Destroy the device while it computes the steps.
    queueMicrotask(() => queueMicrotask(() => device.destroy()));
    await expect(run).rejects.toMatchObject({ name: "EngineLost" });
    engine.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });

  test("closeWebGPU destroys the device, and can be called twice", async () => {
    const { device } = await openWebGPU();
    closeWebGPU();
    closeWebGPU();
    expect((await device.lost).reason).toBe("destroyed");
    expect((await openWebGPU()).device).not.toBe(device);
    closeWebGPU();
  });

  test("a missing adapter rejects with UNSUPPORTED, and the next attempt works", async () => {
    closeWebGPU();
    const { requestAdapter } = GPU.prototype;
    GPU.prototype.requestAdapter = async () => null;
    try {
      await expect(openWebGPU()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    } finally {
      GPU.prototype.requestAdapter = requestAdapter;
    }
    await openWebGPU();
    closeWebGPU();
  });
});

import { expect, test } from "vitest";
import { MakemoreError } from "../../src/errors";
import { adapterName, isSoftware } from "../../worker/engines/gpu/adapter";
import { openBackend } from "../../worker/engines/tfjs/backend";
import { testTfjsEngine } from "../tfjsEngine";

testTfjsEngine({ backend: "cpu" });

test("without a GPU and without the URL of its .wasm file, the backend is cpu", async () => {
  expect(await openBackend()).toMatchObject({ backend: "cpu" });
});

test("a backend that was asked for but cannot run is refused with the reason", async () => {
  await expect(openBackend("webgpu")).rejects.toThrow(MakemoreError);
  await expect(openBackend("webgpu")).rejects.toMatchObject({ code: "UNSUPPORTED" });
  await expect(openBackend("wasm")).rejects.toThrow("tfjs-backend-wasm-simd.wasm");
});

test.each([
  ["google swiftshader", false, true],
  ["mesa llvmpipe (LLVM 15.0.6, 256 bits)", false, true],
  ["Microsoft Basic Render Driver", false, true],
  ["intel gen-12lp", true, true],
  ["nvidia ampere", false, false],
  ["apple metal-3", false, false],
])("%s, fallback %s: a software adapter, %s", (description, isFallbackAdapter, software) => {
  const info = { vendor: "", architecture: "", device: "", subgroupMinSize: 4, subgroupMaxSize: 128 };
  const adapter = {
    info: { __brand: "GPUAdapterInfo", ...info, description, isFallbackAdapter },
  } as const;
  expect(isSoftware(adapter)).toBe(software);
  expect(adapterName(adapter)).toBe(description);
});

test("an adapter without a description gets a name too", () => {
  expect(isSoftware({})).toBe(false);
  expect(adapterName({})).toBe("WebGPU");
});

import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { EngineFiles } from "../../worker/engines/engine";
import { createWasmEngine } from "../../worker/engines/wasm";
import { stream } from "../../worker/engines/wasm/binaries";
import { wasm } from "../../worker/engines/wasm/kind";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { testWasmEngine } from "../wasmEngine";

// Only this build, because Node 20 has no relaxed SIMD. test/browser runs the other one in Chromium.
testWasmEngine("simd");

test("both builds together are small", () => {
  // The size in the worker's file: base64, gzipped.
  expect(gzipSync(stream).length).toBeLessThan(20_000);
});

describe("missing features", () => {
  const network = buildNetwork(architecture({ contextLength: 2, embedding: 4, hidden: 8 }), 5);
  const setup = {
    network,
    parameters: initialParameters(network, 1),
    optimizer: { type: "sgd" },
    stream: Uint8Array.of(0, 1, 2, 3, 0, 4, 4, 0),
    seed: 5,
    batchSize: 8,
  } as const;

  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  test("without relaxed SIMD, the baseline build is used", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValueOnce(false).mockReturnValueOnce(true);
    expect((await createWasmEngine(setup)).device).toBe("simd");
  });

  test("without SIMD or WebAssembly, the error says what to do", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    await expect(createWasmEngine(setup)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("Safari 16.4"),
    });
    vi.stubGlobal("WebAssembly", undefined);
    await expect(createWasmEngine(setup)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("if a Content-Security-Policy forbids compiling, the error names it", async () => {
    vi.spyOn(WebAssembly, "instantiate").mockRejectedValue(new WebAssembly.CompileError("blocked by CSP"));
    await expect(createWasmEngine(setup, "simd")).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("'wasm-unsafe-eval'"),
    });
  });

  test("warming up compiles the kernels", async () => {
    const instantiate = vi.spyOn(WebAssembly, "instantiate");
    await wasm.warmUp?.("window", {} as EngineFiles);
    const made = (await instantiate.mock.results[0]?.value) as WebAssembly.WebAssemblyInstantiatedSource;
    expect(made.instance.exports.train).toBeInstanceOf(Function);
  });

  test("layers in another order are refused, and the error names tfjs", async () => {
    const other = buildNetwork(
      [
        { type: "Embedding", dimensions: 4 },
        { type: "FlattenConsecutive", n: 2 },
        { type: "Linear", fanOut: 8 },
        { type: "Tanh" },
        { type: "BatchNorm1d" },
        { type: "Linear" },
      ],
      5,
    );
    await expect(createWasmEngine({ ...setup, network: other })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining('"tfjs"'),
    });
  });
});

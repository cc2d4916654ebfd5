import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createWasmEngine } from "../../worker/engines/wasm";
import { stream } from "../../worker/engines/wasm/binaries";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { testWasmEngine } from "../wasmEngine";

// Node 20 has no relaxed SIMD; Chromium runs that build in test/browser.
testWasmEngine("simd");

test("both builds together are small", () => {
  // As they stand in the worker's file, base64 and gzipped.
  expect(gzipSync(stream).length).toBeLessThan(20_000);
});

describe("what a machine may lack", () => {
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

  test("without relaxed SIMD it takes the baseline build", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValueOnce(false).mockReturnValueOnce(true);
    expect((await createWasmEngine(setup)).device).toBe("simd");
  });

  test("without SIMD, or without WebAssembly, it says what to do", async () => {
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    await expect(createWasmEngine(setup)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("Safari 16.4"),
    });
    vi.stubGlobal("WebAssembly", undefined);
    await expect(createWasmEngine(setup)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("a policy that forbids compiling is named", async () => {
    vi.spyOn(WebAssembly, "instantiate").mockRejectedValue(new WebAssembly.CompileError("blocked by CSP"));
    await expect(createWasmEngine(setup, "simd")).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("'wasm-unsafe-eval'"),
    });
  });

  test("layers in another order are left to tfjs", async () => {
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

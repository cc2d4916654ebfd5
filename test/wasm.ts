/** What the wasm engine must do, wherever it runs: Node and Chromium share these assertions. */
import { expect, test } from "vitest";
import { type Build, createWasmEngine } from "../worker/engines/wasm";
import { allowedDifference, largestDifference, pytorchRun } from "./pytorch";

/** Declares the tests of one build. */
export function wasmEngineTests(build: Build): void {
  test.each(["mlp", "wavenet"] as const)(`${build} follows PyTorch: %s`, async (name) => {
    const run = pytorchRun(name);
    const { network, parameters, stream, batchSize } = run;
    const engine = await createWasmEngine(
      { network, parameters, stream, batchSize, optimizer: { type: "sgd" }, seed: 0 },
      build,
    );
    expect(largestDifference(await engine.run(0, run.learningRates, run.positions), run.losses)).toBeLessThan(
      1e-5,
    );
    const state = await engine.read();
    expect([...state.parameters.keys()].sort()).toEqual([...parameters.keys()].sort());
    for (const [key, expected] of [...run.after, ...run.running]) {
      const allowed = allowedDifference(parameters.get(key) ?? [], expected, run.losses.length);
      expect(largestDifference(state.parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
    }
  });
}

/** Tests that both builds of the wasm engine must pass, in Node and in Chromium. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { MakemoreError } from "../src/errors";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import { createWasmEngine } from "../worker/engines/wasm";
import type { Build } from "../worker/engines/wasm/builds";
import { createWasmPredictor } from "../worker/engines/wasm/predictor";
import { buildNetwork } from "../worker/model/network";
import type { Checkpoint } from "../worker/training/checkpoint";
import { randomCheckpoint, vocabularyOf } from "./checkpoint";
import { adamw, oddSizes, sgd, small, smoothAdamw, someSetup } from "./engineSetups";
import { type EngineUnderTest, type RepeatedRuns, testNumbers, testRuns } from "./engineSuite";
import { expectReferenceLogits } from "./predictor";
import { pytorchRecipes } from "./pytorch";

const predicted: [what: string, checkpoint: Checkpoint][] = [
  ["the lecture's WaveNet", randomCheckpoint("wavenet")],
  ["the lecture's MLP", randomCheckpoint("mlp")],
  ...oddSizes
    .slice(0, 4)
    .map(({ name, specs, vocabulary }): [string, Checkpoint] => [
      name,
      randomCheckpoint(specs, vocabularyOf(vocabulary)),
    ]),
];

/** Defines the tests for a build. */
export function testWasmEngine(build: Build): void {
  const engine: EngineUnderTest & RepeatedRuns = {
    name: `wasm, ${build}`,
    says: { backend: "wasm", device: build },
    create: (setup) => createWasmEngine(setup, build),
    runs: ["mlp", "wavenet"],
    recipes: pytorchRecipes(),
    cases: [sgd, smoothAdamw].flatMap((optimizer) => oddSizes.map((sizes) => ({ ...sizes, optimizer }))),
    examplesWith: oddSizes,
    optimizers: [sgd, adamw],
    // More steps than the kernels run in one call.
    steps: 1100,
  };
  testNumbers([engine]);
  testRuns([engine]);

  describe(build, () => {
    const engines: Engine[] = [];
    const make = async (setup: EngineSetup) => {
      const engine = await createWasmEngine(setup, build);
      engines.push(engine);
      return engine;
    };
    afterEach(() => {
      for (const engine of engines.splice(0)) engine.dispose();
      vi.restoreAllMocks();
    });

    test.each(predicted)("predicts like the float64 reference: %s", async (_, checkpoint) => {
      for (const most of [1, 7, 1000]) {
        const predictor = await createWasmPredictor(checkpoint.network, most, build);
        expect(predictor.batchSize).toBe(Math.min(most, 128));
        await expectReferenceLogits(predictor, checkpoint);
        predictor.dispose();
        await expect(predictor.predict(new Uint32Array(0), 0)).rejects.toMatchObject({ code: "DISPOSED" });
      }
    });

    test("memory does not grow over 20,000 steps", async () => {
      const instantiate = vi.spyOn(WebAssembly, "instantiate");
      const engine = await make(someSetup(small));
      const made = await instantiate.mock.results[0]?.value;
      const memory = made?.instance.exports.memory;
      if (!(memory instanceof WebAssembly.Memory)) return expect.unreachable();
      const bytes = memory.buffer.byteLength;
      for (let step = 0; step < 20_000; step += 1000)
        await engine.run(step, new Float32Array(1000).fill(0.001));
      expect(memory.buffer.byteLength).toBe(bytes);
    });

    test("after dispose, calls are refused", async () => {
      const engine = await make(someSetup(small));
      engine.dispose();
      engine.dispose();
      await expect(engine.run(0, new Float32Array(1))).rejects.toMatchObject({ code: "DISPOSED" });
      await expect(engine.read()).rejects.toMatchObject({ code: "DISPOSED" });
    });

    test("a model that is too large for the memory is refused", async () => {
      const huge = buildNetwork([{ type: "Embedding", dimensions: 4096 }, { type: "Linear" }], 300_000);
      const refused = make({ ...someSetup(small), network: huge });
      await expect(refused).rejects.toBeInstanceOf(MakemoreError);
      await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
    });
  });
}

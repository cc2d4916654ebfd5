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
import { largestDifference, pytorchRecipes } from "./pytorch";
import { Reference } from "./reference";

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

    test("tanh is accurate for tiny to huge numbers, never above 1, and keeps NaN", async () => {
      const size = 128;
      const specs = [
        { type: "Embedding", dimensions: size },
        { type: "Linear", fanOut: size },
        { type: "Tanh" },
        { type: "Linear" },
      ] as const;
      const network = buildNetwork(specs, size);
      // Both Linears are the identity, so the logits of a token are tanh of its embedding.
      const identity = Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
      // Both signs of sizes from 1e-12 to 1e30 and from 0 to 10. The last token has only NaN.
      const x = identity.map((_, i) => {
        const part = i / identity.length;
        return (i & 2 ? 10 ** (42 * part - 12) : 10 * part) * (i & 1 ? 1 : -1);
      });
      x.fill(Number.NaN, x.length - size);
      const values = { embedding: x, weight: identity, bias: new Float32Array(size) };
      const predictor = await createWasmPredictor(network, size, build);
      predictor.load(
        new Map(
          network.parameters.map(({ name }) => {
            const kind = name.startsWith("embedding")
              ? "embedding"
              : name.endsWith("bias")
                ? "bias"
                : "weight";
            return [name, values[kind]];
          }),
        ),
      );
      const logits = await predictor.predict(
        Uint32Array.from({ length: size }, (_, token) => token),
        1,
      );
      predictor.dispose();
      expect(logits.subarray(-size).every(Number.isNaN)).toBe(true);
      let worst = 0;
      for (const [i, y] of logits.subarray(0, -size).entries()) {
        const exact = Math.tanh(x[i] ?? 0);
        const unit = 2 ** (Math.floor(Math.log2(Math.abs(exact) || 1)) - 23);
        worst = Math.max(worst, Math.abs(y) > 1 ? Number.POSITIVE_INFINITY : Math.abs(y - exact) / unit);
      }
      // Units in the last place of float32. Over all numbers, the largest are 5.4 with fused multiply-add and 6.5 without.
      expect(worst).toBeLessThan(6.5);
    });

    test("a norm's variance stays precise if the mean is a thousand times the deviation", async () => {
      const specs = [
        { type: "Embedding", dimensions: 4 },
        { type: "Linear", fanOut: 8 },
        { type: "BatchNorm1d" },
        { type: "Tanh" },
        { type: "Linear" },
      ] as const;
      const network = buildNetwork(specs, 11);
      const setup = someSetup(network, { optimizer: sgd, batchSize: 64 });
      const parameters = new Map(setup.parameters).set("linear1.bias", new Float32Array(8).fill(1000));
      const reference = new Reference({ ...setup, parameters });
      const engine = await make({ ...setup, parameters });
      await engine.run(0, new Float32Array(1));
      reference.run(0, new Float32Array(1));
      const name =
        network.parameters.find((parameter) => parameter.name.endsWith("runningVariance"))?.name ?? "";
      const expected = reference.parameters.get(name) ?? [];
      const { parameters: got } = await engine.read();
      // Numbers near 1,000 are rounded by up to 3e-5. Sums of their squares, near 1e6, lose far more.
      expect(largestDifference(got.get(name) ?? [], expected)).toBeLessThan(1e-4);
      expect(Math.min(...expected)).toBeGreaterThan(0.9);
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

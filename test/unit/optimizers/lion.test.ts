/** Lion, which only tfjs has, compared with the paper's Algorithm 2 in float64. */
import { expect, test } from "vitest";
import { createTfjsEngine } from "../../../worker/engines/tfjs";
import { openBackend, tf } from "../../../worker/engines/tfjs/backend";
import { createWasmEngine } from "../../../worker/engines/wasm";
import { createWebGPUEngine } from "../../../worker/engines/webgpu";
import { readONNX } from "../../../worker/onnx/read";
import { writeONNX } from "../../../worker/onnx/write";
import { lion } from "../../../worker/optimizers/lion";
import { chooseEngine } from "../../../worker/training/chooseEngine";
import { randomCheckpoint } from "../../checkpoint";
import { largestDifference } from "../../pytorch";

const optimizer = { type: "lion", beta1: 0.8, beta2: 0.95, weightDecay: 0.3 } as const;

test("five steps equal the paper's", async () => {
  await openBackend("cpu");
  const { beta1, beta2, weightDecay } = optimizer;
  const expected = { p: [1, -2, 0.5, 3], m: [0, 0, 0, 0] };
  let p: tf.Tensor = tf.tensor1d(expected.p);
  let m: tf.Tensor = tf.zeros([4]);
  for (let t = 1; t <= 5; t++) {
    const rate = 0.1 / t;
    const g = expected.p.map((_, i) => Math.cos(3 * t + i));
    for (const [i, gradient] of g.entries()) {
      const old = expected.m[i] ?? 0;
      const update = Math.sign(beta1 * old + (1 - beta1) * gradient);
      expected.p[i] = (expected.p[i] ?? 0) - rate * (update + weightDecay * (expected.p[i] ?? 0));
      expected.m[i] = beta2 * old + (1 - beta2) * gradient;
    }
    const factors = lion.factors(optimizer, t, rate).map((factor) => tf.scalar(factor));
    ({ p, m } = lion.tfjs(optimizer, tf, factors)(p, tf.tensor1d(g), { m }));
  }
  // Tolerance: float32 rounding of five steps.
  expect(largestDifference(await p.data(), expected.p)).toBeLessThan(1e-6);
  expect(largestDifference(await m.data(), expected.m)).toBeLessThan(1e-6);
});

test("tfjs trains with it, the other engines refuse it, and a file contains its state", async () => {
  const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 3, hidden: 5 });
  const { network, parameters } = checkpoint;
  const stream = Uint8Array.from([0, 5, 13, 13, 1, 0, 1, 22, 1, 0]);
  const setup = { network, parameters, optimizer, stream, seed: 1, batchSize: 8 };
  for (const create of [createWasmEngine, createWebGPUEngine])
    await expect(create(setup)).rejects.toMatchObject({ code: "UNSUPPORTED", message: /"lion"/ });
  const { engine } = await chooseEngine(
    "auto",
    setup,
    {
      wasm: createWasmEngine,
      webgpu: createWebGPUEngine,
      tfjs: (given) => createTfjsEngine(given, { backend: "cpu" }),
    },
    new Map(),
  );
  expect(engine.backend).toBe("tfjs");
  await engine.run(0, new Float32Array(3).fill(0.01));
  const state = await engine.read();
  engine.dispose();
  expect([...(state.optimizerState?.keys() ?? [])]).toEqual(["m"]);
  const recipe = { ...checkpoint.recipe, optimizer };
  const file = writeONNX({ ...checkpoint, ...state, recipe }, { form: "window", trainingState: true });
  const back = readONNX(file);
  expect(back.recipe.optimizer).toEqual(optimizer);
  expect(back.optimizerState).toEqual(state.optimizerState);
});

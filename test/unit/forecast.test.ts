/** Predictions beside a training, held against ONNX Runtime and the float64 reference. */
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import { createTfjsPredictor } from "../../worker/engines/tfjs/predictor";
import { createWasmPredictor } from "../../worker/engines/wasm/predictor";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork } from "../../worker/model/network";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { Forecast } from "../../worker/training/forecast";
import { LETTERS, pytorchCheckpoint, randomCheckpoint } from "../checkpoint";
import { expectReferenceLogits } from "../predictor";

const unlike: LayerSpec[] = [
  { type: "Embedding", dimensions: 5 },
  { type: "Tanh" },
  { type: "BatchNorm1d" },
  { type: "FlattenConsecutive", n: 3 },
  { type: "Linear" },
];

test("tfjs predicts any list of layers; the wasm kernels refuse what they do not cover", async () => {
  for (const checkpoint of [randomCheckpoint(unlike), pytorchCheckpoint("wavenet")]) {
    const predictor = await createTfjsPredictor(checkpoint.network, 100, { backend: "cpu" });
    await expectReferenceLogits(predictor, checkpoint);
    predictor.dispose();
  }
  const refused = createWasmPredictor(buildNetwork(unlike, 27), 100);
  await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

const dataset = buildDataset(["ab", "abc", "b", "ca", "cab", "bc", "a", "c", "aa", "cc"].join("\n"), {
  seed: 1,
  split: [0.5, 0.3, 0.2],
  shuffle: true,
  vocabulary: LETTERS,
});

test("the validation loss is ONNX Runtime's, and the copies are those of its samples", async () => {
  // So many words of one or two letters that a good part of them is in the list.
  const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 4, hidden: 12 });
  const bias = checkpoint.parameters.get("linear3.bias") ?? expect.unreachable();
  for (const id of [0, 1, 2, 3]) bias[id] = 4;
  const forecast = new Forecast(createWasmPredictor, checkpoint.network, dataset, 50);
  const inference = new Inference(async () => ort, checkpoint);
  expect(await forecast.validation(checkpoint)).toBeCloseTo(await inference.evaluate(dataset.validation), 4);
  const seed = checkpoint.recipe.seed;
  const samples = await inference.sample(1000, sampleSettings(1000, { seed }));
  const list = ["ab", "abc", "b", "ca", "cab", "bc", "a", "c", "aa", "cc"];
  const copies = samples.filter((word) => list.includes(word)).length / 1000;
  expect(copies).toBeGreaterThan(0.05);
  expect(copies).toBeLessThan(0.95);
  // Rounding may turn a draw that falls on the edge between two characters.
  expect(Math.abs((await forecast.copies(checkpoint)) - copies)).toBeLessThanOrEqual(0.002);
  forecast.dispose();
  await inference.dispose();
});

test("a predictor is opened only when something is asked of it", async () => {
  let opened = 0;
  const network = buildNetwork(architecture({ contextLength: 2, embedding: 2, hidden: 4 }), LETTERS.size);
  const forecast = new Forecast(
    (...of) => {
      opened++;
      return createWasmPredictor(...of);
    },
    network,
    dataset,
    8,
  );
  forecast.dispose();
  expect(opened).toBe(0);
});

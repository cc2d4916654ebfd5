import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { buildDataset } from "../../worker/data/dataset";
import { createWasmEngine } from "../../worker/engines/wasm";
import type { Parameters } from "../../worker/model/layer";
import { readONNX } from "../../worker/onnx/read";
import { writeONNX } from "../../worker/onnx/write";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { learningRates } from "../../worker/training/schedule";
import { pytorchCheckpoint, randomCheckpoint } from "../checkpoint";
import { largestDifference, pytorchRun } from "../pytorch";

const forms = ["window", "convolution", "incremental"] as const;

test.each(["mlp", "wavenet"] as const)("the window form of %s gives PyTorch's logits", async (name) => {
  const { contexts, logits } = pytorchRun(name).evaluation;
  const session = await ort.InferenceSession.create(
    writeONNX(pytorchCheckpoint(name), { form: "window", trainingState: true }),
  );
  const context = new ort.Tensor("int32", Int32Array.from(contexts.flat()), [
    contexts.length,
    contexts[0]?.length ?? 0,
  ]);
  const outputs = await session.run({ context });
  expect(outputs.logits?.dims).toEqual([contexts.length, 27]);
  const values = outputs.logits?.data;
  // Float32 rounding; the file has PyTorch's numbers with nine decimals.
  expect(largestDifference(values instanceof Float32Array ? values : [], logits.flat())).toBeLessThan(1e-4);
  await session.release();
});

test.each(forms)("a checkpoint is written to and read from the %s form bit for bit", (form) => {
  const checkpoint = randomCheckpoint("wavenet");
  const back = readONNX(writeONNX(checkpoint, { form, trainingState: true }));
  expect(bytes(back.parameters)).toEqual(bytes(checkpoint.parameters));
  expect(bytes(back.optimizerState?.get("m"))).toEqual(bytes(checkpoint.optimizerState?.get("m")));
  expect(bytes(back.optimizerState?.get("v"))).toEqual(bytes(checkpoint.optimizerState?.get("v")));
  expect(back.recipe).toEqual(checkpoint.recipe);
  expect(back.step).toBe(checkpoint.step);
  expect(back.vocabulary.characters).toEqual(checkpoint.vocabulary.characters);
  expect(back.network.layers.map((layer) => layer.spec)).toEqual(
    checkpoint.network.layers.map((layer) => layer.spec),
  );
});

test("a file without the training state has no moments", () => {
  const file = writeONNX(randomCheckpoint("mlp"), { form: "window", trainingState: false });
  expect(readONNX(file).optimizerState).toBeUndefined();
});

/** Returns names and bits as strings, which compare much faster than arrays. */
function bytes(parameters: Parameters | undefined): [string, string][] {
  return [...(parameters ?? [])].map(([name, values]) => [
    name,
    Buffer.from(values.slice().buffer).toString("base64"),
  ]);
}

test("training resumed from a file equals an unbroken one bit for bit", async () => {
  const start = randomCheckpoint({ contextLength: 4, embedding: 5, hidden: 12 });
  const { recipe, vocabulary } = start;
  const dataset = buildDataset("emma\nolivia\nava\nisabella\nsophia", { ...recipe, vocabulary });
  const train = async (from: Checkpoint, steps: number): Promise<Checkpoint> => {
    const { network, parameters, optimizerState, step } = from;
    const engine = await createWasmEngine({
      network,
      parameters,
      optimizer: recipe.optimizer,
      ...(optimizerState ? { optimizerState } : {}),
      stream: dataset.train,
      seed: recipe.seed,
      batchSize: recipe.batchSize,
    });
    await engine.run(step, learningRates(recipe.learningRate, step, steps, recipe.steps));
    const state = await engine.read();
    engine.dispose();
    return { ...from, ...state, step: step + steps };
  };
  const unbroken = await train(start, 20);
  const half = await train(start, 8);
  const reopened = readONNX(writeONNX(half, { form: "convolution", trainingState: true }));
  const resumed = await train(reopened, 12);
  expect(resumed.step).toBe(unbroken.step);
  expect(bytes(resumed.parameters)).toEqual(bytes(unbroken.parameters));
  expect(bytes(resumed.optimizerState?.get("v"))).toEqual(bytes(unbroken.optimizerState?.get("v")));
});

import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { readONNX } from "../../worker/onnx/read";
import { writeONNX } from "../../worker/onnx/write";
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
  // Both are float32; PyTorch's are printed with nine decimals.
  expect(largestDifference(values instanceof Float32Array ? values : [], logits.flat())).toBeLessThan(1e-4);
  await session.release();
});

test.each(forms)("a checkpoint comes back from the %s form bit for bit", (form) => {
  const checkpoint = randomCheckpoint("wavenet");
  const back = readONNX(writeONNX(checkpoint, { form, trainingState: true }));
  expect(back.parameters).toEqual(checkpoint.parameters);
  expect(back.moments).toEqual(checkpoint.moments);
  expect(back.recipe).toEqual(checkpoint.recipe);
  expect(back.step).toBe(checkpoint.step);
  expect(back.vocabulary.characters).toEqual(checkpoint.vocabulary.characters);
  expect(back.network.layers.map((layer) => layer.spec)).toEqual(
    checkpoint.network.layers.map((layer) => layer.spec),
  );
});

test("without its training state, a file has no moments", () => {
  const file = writeONNX(randomCheckpoint("mlp"), { form: "window", trainingState: false });
  expect(readONNX(file).moments).toBeUndefined();
});

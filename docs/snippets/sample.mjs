// New words, form "window":  node sample.mjs model.onnx 10
import * as ort from "onnxruntime-node";

const [, , file, count] = process.argv;
const session = await ort.InferenceSession.create(file);
// Ids 1, 2, 3, …: the model's own list is in `mm.model.vocabulary` and in the file's metadata.
const characters = [..."abcdefghijklmnopqrstuvwxyz"];
const contextLength = session.inputMetadata[0].shape[1];

for (let i = 0; i < count; i++) {
  let word = "";
  let context = new Array(contextLength).fill(0);
  for (;;) {
    const tensor = new ort.Tensor("int32", Int32Array.from(context), [1, contextLength]);
    const { logits } = await session.run({ context: tensor });
    const weights = Array.from(logits.data, Math.exp);
    if (word === "") weights[0] = 0; // no empty words
    let rest = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
    const token = weights.findIndex((weight) => {
      rest -= weight;
      return rest < 0;
    });
    if (token <= 0) break;
    word += characters[token - 1];
    context = [...context.slice(1), token];
  }
  console.log(word);
}

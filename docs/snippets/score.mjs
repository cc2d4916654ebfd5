// The surprise of each character, form "convolution":  node score.mjs model.onnx emma
import * as ort from "onnxruntime-node";

const [, , file, word] = process.argv;
const session = await ort.InferenceSession.create(file);
// Ids 1, 2, 3, …: the model's own list is in `mm.model.vocabulary` and in the file's metadata.
const characters = [..."abcdefghijklmnopqrstuvwxyz"];
const tokens = [...word].map((character) => 1 + characters.indexOf(character));

// A plain word in, a row of logits for each of its characters and one for its end out.
const { logits } = await session.run({
  tokens: new ort.Tensor("int32", Int32Array.from(tokens), [1, tokens.length]),
});
const [, positions, width] = logits.dims;
for (let t = 0; t < positions; t++) {
  const row = logits.data.slice(t * width, (t + 1) * width);
  const logZ = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
  console.log(word[t] ?? "(end)", (logZ - row[tokens[t] ?? 0]).toFixed(4));
}

/** Runs the ONNX forms of networks that read words as docs/onnx.md says, in ONNX Runtime for Node or for the web. */
import type { State } from "../worker/onnx/incremental";
import { writeONNX } from "../worker/onnx/write";
import type { Runtime } from "../worker/sampling/runtime";
import type { Checkpoint } from "../worker/training/checkpoint";
import { LETTERS, randomCheckpoint } from "./checkpoint";
import { type Family, familyRun } from "./families";

/** Logits of words: [batch, time, vocabulary], flattened. */
export interface WordLogits {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

type Tokens = readonly (readonly number[])[];
type Value = InstanceType<Runtime["Tensor"]>;

/** PyTorch's model of a family after the fixture's steps, with words to evaluate and PyTorch's logits for them. */
export function familyCheckpoint(
  family: Family,
): Checkpoint & { readonly tokens: Tokens; readonly logits: readonly number[] } {
  const { network, after, evaluation } = familyRun(family);
  const { recipe } = randomCheckpoint("mlp");
  return { vocabulary: LETTERS, network, parameters: after, step: 10, recipe, ...evaluation };
}

/** Runs the sequence form, which is the default: all words in one run. */
export async function sequenceLogits(
  ort: Runtime,
  checkpoint: Checkpoint,
  tokens: Tokens,
): Promise<WordLogits> {
  const session = await ort.InferenceSession.create(writeONNX(checkpoint, { trainingState: true }));
  const { logits } = await session.run({ tokens: int32(ort, tokens) });
  await session.release();
  return { dims: logits?.dims ?? [], values: floats(logits) };
}

/** Runs the incremental form: one token of each word per run. */
export async function stepLogits(ort: Runtime, checkpoint: Checkpoint, tokens: Tokens): Promise<WordLogits> {
  const file = writeONNX(checkpoint, { form: "incremental", trainingState: false });
  const states = statesOf(file);
  const session = await ort.InferenceSession.create(file);
  const batch = tokens.length;
  const time = tokens[0]?.length ?? 0;
  const width = checkpoint.vocabulary.size;
  let memory: Record<string, Value> = Object.fromEntries(
    states.map(({ input, channels, grows }) => {
      const dimensions = grows ? [batch, 0, channels] : [batch, channels];
      const values = new Float32Array(grows ? 0 : batch * channels);
      return [input, new ort.Tensor("float32", values, dimensions)];
    }),
  );
  const places: (readonly number[])[] = [];
  for (let position = 0; position < time; position++) {
    const feeds: Record<string, Value> = {
      tokens: int32(
        ort,
        tokens.map((row) => [row[position] ?? 0]),
      ),
      ...memory,
    };
    if (session.inputNames.includes("position"))
      feeds.position = new ort.Tensor("int32", new Int32Array(batch).fill(position), [batch]);
    const outputs = await session.run(feeds);
    memory = Object.fromEntries(
      states.map(({ input, output }) => {
        const value = outputs[output];
        if (!value) throw new Error(`There is no output ${output}.`);
        return [input, value];
      }),
    );
    places.push(floats(outputs.logits));
  }
  await session.release();
  const values = tokens.flatMap((_, row) =>
    places.flatMap((all) => all.slice(row * width, (row + 1) * width)),
  );
  return { dims: [batch, time, width], values };
}

/** Reads the descriptions of the state from a file of the incremental form. */
export function statesOf(file: Uint8Array): State[] {
  const text = new TextDecoder().decode(file);
  const at = text.lastIndexOf("state\u0012");
  const from = text.indexOf("[", at);
  return JSON.parse(text.slice(from, text.indexOf("]", from) + 1));
}

/** Removes the boundaries around words. */
export function charactersOf(tokens: Tokens): number[][] {
  return tokens.map((row) => row.slice(1).filter((token) => token !== 0));
}

/** Computes the surprise of each word's characters and of its end, from logits [words, time, vocabulary]. */
export function surprisesOf(words: Tokens, logits: readonly number[], width = LETTERS.size): number[] {
  const time = logits.length / width / words.length;
  return words.flatMap((word, row) =>
    [...word, 0].map((target, place) => {
      const from = (row * time + place) * width;
      const all = logits.slice(from, from + width);
      return Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0)) - (all[target] ?? Number.NaN);
    }),
  );
}

function int32(ort: Runtime, rows: Tokens): Value {
  return new ort.Tensor("int32", Int32Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0]);
}

function floats(tensor: Value | undefined): number[] {
  if (!(tensor?.data instanceof Float32Array)) throw new Error("The logits are not float32.");
  return [...tensor.data];
}

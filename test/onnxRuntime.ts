/** Runs exported files in ONNX Runtime for Node, as any caller would. */
import * as ort from "onnxruntime-node";
import { BOUNDARY } from "../worker/data/vocabulary";
import type { State } from "../worker/onnx/incremental";
import { writeONNX } from "../worker/onnx/write";
import type { Checkpoint } from "../worker/training/checkpoint";
import { Reference } from "./reference";
import { statesOf } from "./wordForms";

export interface Logits {
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** Makes an int32 tensor from rows of equal length. */
export function int32(rows: readonly (readonly number[])[]): ort.Tensor {
  return new ort.Tensor("int32", Int32Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0]);
}

/** Runs a file once and returns `logits`. */
export async function runFile(file: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<Logits> {
  const session = await ort.InferenceSession.create(file);
  const { logits } = await session.run(feeds);
  await session.release();
  return toLogits(logits);
}

/** Returns the context of every position of a word, including its end. */
export function contextsOf(word: readonly number[], contextLength: number): number[][] {
  const padded = [...new Array<number>(contextLength).fill(BOUNDARY), ...word];
  return Array.from({ length: word.length + 1 }, (_, t) => padded.slice(t, t + contextLength));
}

/** Computes the window form's logits for every position of the words, word after word. */
export async function windowLogits(
  checkpoint: Checkpoint,
  words: readonly (readonly number[])[],
): Promise<Float32Array> {
  const contexts = words.flatMap((word) => contextsOf(word, checkpoint.network.contextLength));
  const file = writeONNX(checkpoint, { form: "window", trainingState: false });
  return (await runFile(file, { context: int32(contexts) })).values;
}

/** Computes the same with the float64 reference, which does not use ONNX. */
export function referenceLogits(
  { network, parameters, recipe }: Checkpoint,
  words: readonly (readonly number[])[],
): Float64Array {
  const setup = {
    network,
    parameters,
    optimizer: recipe.optimizer,
    stream: new Uint8Array(0),
    seed: 0,
    batchSize: 1,
  };
  return new Reference(setup).logits(words.flatMap((word) => contextsOf(word, network.contextLength)));
}

/** Computes the same with the convolution form: all words in one batch, padded with 0 at their ends. */
export async function convolutionLogits(
  checkpoint: Checkpoint,
  words: readonly (readonly number[])[],
): Promise<Float32Array> {
  const longest = Math.max(...words.map((word) => word.length));
  const rows = words.map((word) => [...word, ...new Array<number>(longest - word.length).fill(BOUNDARY)]);
  const file = writeONNX(checkpoint, { form: "convolution", trainingState: false });
  const { dims, values } = await runFile(file, { tokens: int32(rows) });
  const width = checkpoint.vocabulary.size;
  if (`${dims}` !== `${[words.length, longest + 1, width]}`) throw new Error(`The logits are [${dims}].`);
  // Leave out the padding after each word's end.
  return concatenate(
    words.map((word, i) => {
      const from = i * (longest + 1) * width;
      return values.subarray(from, from + (word.length + 1) * width);
    }),
  );
}

/** Computes the same with the incremental form, one word at a time. Keeps the state as docs/onnx.md says. */
export async function incrementalLogits(
  checkpoint: Checkpoint,
  words: readonly (readonly number[])[],
): Promise<Float32Array> {
  const file = writeONNX(checkpoint, { form: "incremental", trainingState: false });
  const session = await ort.InferenceSession.create(file);
  const { contextLength } = checkpoint.network;
  const states = statesOf(file);
  const width = session.inputMetadata.find((input) => input.name === "tokens");
  const recent = width?.isTensor ? Number(width.shape[1]) : 0;
  const rows: Float32Array[] = [];
  for (const word of words) {
    const history = new Map<State, ort.Tensor[]>(
      states.map((state) => [
        state,
        Array.from(
          { length: state.delay },
          () => new ort.Tensor("float32", new Float32Array(state.channels), [1, state.channels]),
        ),
      ]),
    );
    const tokens = [...new Array<number>(contextLength).fill(BOUNDARY), ...word];
    for (const [t] of tokens.entries()) {
      const last = Array.from({ length: recent }, (_, j) => tokens[t - recent + 1 + j] ?? BOUNDARY);
      const feeds: Record<string, ort.Tensor> = { tokens: int32([last]) };
      for (const [state, past] of history) feeds[state.input] = past[0] ?? int32([]);
      const outputs = await session.run(feeds);
      for (const [state, past] of history) {
        past.shift();
        past.push(outputs[state.output] ?? int32([]));
      }
      if (t >= contextLength - 1) rows.push(toLogits(outputs.logits).values);
    }
  }
  await session.release();
  return concatenate(rows);
}

function toLogits(tensor: ort.Tensor | undefined): Logits {
  if (!(tensor?.data instanceof Float32Array)) throw new Error("The logits are not float32.");
  return { dims: tensor.dims, values: tensor.data };
}

function concatenate(rows: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    values.set(row, at);
    at += row.length;
  }
  return values;
}

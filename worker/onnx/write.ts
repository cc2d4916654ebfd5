/**
 * A checkpoint as an .onnx file that needs nothing beside it: the graph in one of three forms, the
 * parameters as trained, and in the metadata what a graph cannot say. `read.ts` is the way back.
 *
 * The metadata's keys:
 *
 *     form         "window", "convolution" or "incremental"
 *     vocabulary   JSON: the characters in the order of their ids, from 1; 0 is the boundary
 *     layers       JSON: the model, as `train` takes it in `model`
 *     training     JSON: the steps done, the recipe, and a fingerprint of the words
 *     state        JSON, incremental only: inputs, outputs, delays and widths of what is remembered
 *     checksum     of all bytes before the entry; the entry is the end of the file
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { MakemoreError } from "../../src/errors";
import type { PlainExportOptions } from "../../src/protocol";
import { runToEnd, type Work } from "../../src/slices";
import type { Network } from "../model/network";
import type { Checkpoint } from "../training/checkpoint";
import type { Complete } from "../validation";
import { crc32Work } from "./checksum";
import { encodeEntry, encodeModel, message } from "./encode";
import { floatTensor, type Tensor } from "./graph";
import { networkGraphs } from "./networkGraphs";
import { ModelProto } from "./schema";

/** `exportONNX`'s options with every default filled in. */
export type ExportSettings = Complete<PlainExportOptions>;

const DESCRIPTIONS = {
  window: "A window of characters in, the logits of the next one out.",
  convolution: "Words in, the logits of every position out.",
  incremental: "One character at a time: characters and state in, logits and new state out.",
};

/** The bytes of a checkpoint. */
export function writeONNX(checkpoint: Checkpoint, settings: ExportSettings): Uint8Array<ArrayBuffer> {
  return runToEnd(writeWork(checkpoint, settings));
}

/** As `writeONNX`, in slices. */
export function* writeWork(
  checkpoint: Checkpoint,
  { form, trainingState }: ExportSettings,
): Work<Uint8Array<ArrayBuffer>> {
  const { vocabulary, network, parameters, step, recipe, words } = checkpoint;
  const metadata: Record<string, string> = {
    form,
    vocabulary: JSON.stringify(vocabulary.characters),
    layers: JSON.stringify(network.layers.map((layer) => layer.spec)),
    training: JSON.stringify({ step, recipe, words }),
  };
  const description = `A character-level language model, made by makemore-web. ${DESCRIPTIONS[form]}`;
  const training = trainingState ? stateTensors(checkpoint) : [];
  const { forms } = networkGraphs(network);
  const build = forms[form];
  if (!build) throw noForm(network, form, Object.keys(forms));
  const { graph, states } = build(parameters);
  if (states) metadata.state = JSON.stringify(states);
  return yield* seal(encodeModel({ graph, description, metadata, training }));
}

function noForm({ layers }: Network, form: string, forms: readonly string[]): MakemoreError {
  return new MakemoreError(
    "INVALID_MODEL",
    `form: "${form}" is for models made of blocks of FlattenConsecutive, Linear, BatchNorm1d and Tanh, in that order, and a last Linear; this one is ${layers.map((layer) => layer.name).join(", ")}. Its form is ${forms.map((name) => `"${name}"`).join(" or ")}.`,
  );
}

/** `linear1.weight.m` and so on: every state of the optimiser for every trained parameter. */
function stateTensors({ network, optimizerState }: Checkpoint): Tensor[] {
  const trained = network.parameters.filter((parameter) => parameter.trainable);
  return [...(optimizerState ?? [])].flatMap(([state, all]) =>
    trained.map(({ name, shape }) => {
      const values = all.get(name);
      if (!values) throw new Error(`There is no state ${state} of ${name}.`);
      return floatTensor(`${name}.${state}`, shape, values);
    }),
  );
}

/** Puts the checksum at the end: one more entry of the metadata. */
function* seal(bytes: Uint8Array): Work<Uint8Array<ArrayBuffer>> {
  const entry = checksumEntry(yield* crc32Work(bytes));
  const file = new Uint8Array(bytes.length + entry.length);
  file.set(bytes);
  file.set(entry, bytes.length);
  return file;
}

/** The entry for a checksum: always as many bytes, whatever it is. */
export function checksumEntry(checksum: number): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, ModelProto.metadataProps, () =>
    encodeEntry(writer, "checksum", checksum.toString(16).padStart(8, "0")),
  );
  return writer.finish();
}

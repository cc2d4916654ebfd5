/**
 * Writes a checkpoint as a self-contained .onnx file: the graph in one of its forms, the trained parameters, and metadata
 * for everything else. `read.ts` reads it back.
 *
 * The metadata's keys:
 *
 *     form         "window", "convolution", "sequence" or "incremental"
 *     vocabulary   JSON: the characters in the order of their ids, from 1; 0 is the boundary
 *     groups       JSON, only if there are any: their names in the order of their ids, which follow the characters'
 *     layers       JSON: the model, as `train` takes it in `model`
 *     training     JSON: the steps done, the recipe, and a fingerprint of the words
 *     state        JSON, incremental only: inputs, outputs, delays and widths of what is remembered
 *     checksum     of all bytes before the entry; the entry is the end of the file
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { MakemoreError } from "../../src/errors";
import { runToEnd, type Work } from "../../src/slices";
import type { Network } from "../model/network";
import type { Checkpoint } from "../training/checkpoint";
import { crc32Work } from "./checksum";
import { encodeEntry, encodeModel, message } from "./encode";
import { floatTensor, type Tensor } from "./graph";
import { type FormName, networkGraphs } from "./networkGraphs";
import { ModelProto } from "./schema";

/** `exportONNX`'s options, with the defaults that do not depend on the model. */
export interface ExportSettings {
  /** Default: the model's first form. */
  readonly form?: FormName | undefined;
  readonly trainingState: boolean;
}

const DESCRIPTIONS = {
  window: "A window of characters in, the logits of the next one out.",
  convolution: "Words in, the logits of every position out.",
  sequence: "Words in, the logits of what follows every token out.",
  incremental: "One character at a time: characters and state in, logits and new state out.",
};

/** Writes a checkpoint as the bytes of an .onnx file. */
export function writeONNX(checkpoint: Checkpoint, settings: ExportSettings): Uint8Array<ArrayBuffer> {
  return runToEnd(writeWork(checkpoint, settings));
}

/** Same as `writeONNX`, in slices. */
export function* writeWork(checkpoint: Checkpoint, settings: ExportSettings): Work<Uint8Array<ArrayBuffer>> {
  const { vocabulary, network, parameters, step, recipe, words } = checkpoint;
  const { build, form } = formOf(network, settings.form);
  const metadata: Record<string, string> = {
    form,
    vocabulary: JSON.stringify(vocabulary.characters),
    ...(vocabulary.groups.length > 0 ? { groups: JSON.stringify(vocabulary.groups) } : {}),
    layers: JSON.stringify(network.layers.map((layer) => layer.spec)),
    training: JSON.stringify({ step, recipe, words }),
  };
  const description = `A character-level language model, made by makemore-web. ${DESCRIPTIONS[form]}`;
  const training = settings.trainingState ? stateTensors(checkpoint) : [];
  const { graph, states } = build(parameters);
  if (states) metadata.state = JSON.stringify(states);
  return yield* seal(encodeModel({ graph, description, metadata, training }));
}

/** Finds the form by name or alias; the network's first form if none is given. */
function formOf(network: Network, asked: FormName | undefined) {
  const { forms, otherNames = {} } = networkGraphs(network);
  const form = asked === undefined ? undefined : (otherNames[asked] ?? asked);
  for (const [name, build] of forms) if (form === undefined || name === form) return { form: name, build };
  const names = [...forms.keys()].map((name) => `"${name}"`).join(" or ");
  const wrong = `exportONNX: form is "${asked}", which is for models`;
  const layers = network.layers.map((layer) => layer.name).join(", ");
  throw new MakemoreError(
    "INVALID_MODEL",
    network.example === "word"
      ? `${wrong} that see a window of characters; this one reads whole words: ${layers}. Its form is ${names}.`
      : `${wrong} made of blocks of FlattenConsecutive, Linear, BatchNorm1d and Tanh, in that order, and a last Linear; this one is ${layers}. Its form is ${names}.`,
  );
}

/** The optimiser's state as tensors, one per state and trained parameter, such as `linear1.weight.m`. */
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

/** Appends the checksum: the last entry of the metadata. */
function* seal(bytes: Uint8Array): Work<Uint8Array<ArrayBuffer>> {
  const entry = checksumEntry(yield* crc32Work(bytes));
  const file = new Uint8Array(bytes.length + entry.length);
  file.set(bytes);
  file.set(entry, bytes.length);
  return file;
}

/** Encodes a checksum's metadata entry. Its length is the same for all checksums. */
export function checksumEntry(checksum: number): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, ModelProto.metadataProps, () =>
    encodeEntry(writer, "checksum", checksum.toString(16).padStart(8, "0")),
  );
  return writer.finish();
}

/**
 * Reads a checkpoint from an .onnx file that `write.ts` made, in any of its forms. It ignores the graph in the file: the
 * metadata describes the network, and the network's parameters are then read, each checked by name, type, shape, length
 * and value. So nothing from the file is ever executed, and a forged file is either refused or a valid model.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { MakemoreError } from "../../src/errors";
import { runToEnd, type Work } from "../../src/slices";
import type { Fingerprint } from "../data/fingerprint";
import { Vocabulary } from "../data/vocabulary";
import { type Parameter, type Parameters, showShape } from "../model/layer";
import { type LayerSpec, parseLayers } from "../model/layers";
import { buildNetwork, elements, type Network } from "../model/network";
import { stateOf } from "../optimizers";
import type { OptimizerState } from "../optimizers/optimizer";
import type { Checkpoint, Recipe } from "../training/checkpoint";
import { parseRecipe } from "../training/recipe";
import { crc32Work } from "./checksum";
import { PRODUCER } from "./encode";
import { describeForeign } from "./foreign";
import {
  DataType,
  GraphProto,
  ModelProto,
  StringStringEntryProto,
  TensorProto,
  TrainingInfoProto,
} from "./schema";
import { checksumEntry } from "./write";

/** Numbers checked between two yields: about a millisecond. */
const BLOCK = 1 << 16;

/**
 * Reads a checkpoint from the bytes of a file.
 *
 * @throws MakemoreError `INVALID_ONNX` that says what is wrong with the file
 */
export function readONNX(bytes: Uint8Array): Checkpoint {
  return runToEnd(readWork(bytes));
}

/** Same as `readONNX`, in slices. */
export function* readWork(bytes: Uint8Array): Work<Checkpoint> {
  try {
    yield* checkSeal(bytes);
    return yield* readModel(bytes);
  } catch (error) {
    // Errors of the wire reader, the option checks and the network mean that the file is wrong.
    const reason = error instanceof Error ? error.message : String(error);
    throw new MakemoreError("INVALID_ONNX", `This file cannot be loaded: ${reason}`, { cause: error });
  }
}

/** Checks the checksum, which is the file's last entry. A truncated file has no such entry; a changed one another sum. */
function* checkSeal(bytes: Uint8Array): Work<void> {
  const length = checksumEntry(0).length;
  const content = bytes.subarray(0, Math.max(0, bytes.length - length));
  const end = bytes.subarray(content.length);
  // The last 8 bytes of the entry are the digits; all bytes before them are constant.
  const frame = checksumEntry(0).subarray(0, -8);
  if (end.length !== length || frame.some((byte, i) => end[i] !== byte)) {
    const foreign = describeForeign(bytes);
    if (foreign) throw new Error(`it is ${foreign}. load takes an export of ${PRODUCER}.`);
    throw new Error(
      `it does not end as an export of ${PRODUCER} does; it is another tool's file, or not whole (${bytes.length} bytes).`,
    );
  }
  const expected = checksumEntry(yield* crc32Work(content));
  if (expected.some((byte, i) => end[i] !== byte))
    throw new Error("its checksum is not that of its content; it was altered after the export.");
}

function* readModel(bytes: Uint8Array): Work<Checkpoint> {
  const model = decode(bytes);
  const producer = text(only(model, ModelProto.producerName, "producer_name"));
  if (producer !== PRODUCER)
    throw new Error(`it was made by "${producer}"; it must be an export of ${PRODUCER}.`);
  const metadata = unique(
    messages(model, ModelProto.metadataProps).map((entry): [string, string] => [
      text(only(entry, StringStringEntryProto.key, "key")),
      text(only(entry, StringStringEntryProto.value, "value")),
    ]),
    "metadata entry",
  );
  const groups = metadata.has("groups") ? readGroups(json(metadata, "groups")) : [];
  const vocabulary = readVocabulary(json(metadata, "vocabulary"), groups);
  const { step, recipe, words, layers } = readDescription(
    json(metadata, "training"),
    json(metadata, "layers"),
  );
  const network = buildNetwork(layers, vocabulary.size, vocabulary.groups.length);

  const tensors = readTensors(decode(only(model, ModelProto.graph, "graph")));
  const parameters: Parameters = new Map();
  for (const parameter of network.parameters)
    parameters.set(parameter.name, yield* numbers(tensors, parameter.name, parameter));
  const optimizerState = yield* readState(messages(model, ModelProto.trainingInfo), network, recipe);
  return {
    vocabulary,
    network,
    parameters,
    step,
    recipe,
    ...(words ? { words } : {}),
    ...(optimizerState ? { optimizerState } : {}),
  };
}

function readGroups(value: unknown): string[] {
  const isName = (name: unknown): name is string => typeof name === "string" && name !== "";
  if (
    !Array.isArray(value) ||
    value.length === 0 ||
    !value.every(isName) ||
    new Set(value).size < value.length
  )
    throw new Error("its groups are not a list of names.");
  return value;
}

function readVocabulary(value: unknown, groups: readonly string[]): Vocabulary {
  if (!Array.isArray(value) || value.length < 2)
    throw new Error("its vocabulary is not a list of characters.");
  const characters = value.map((character: unknown) => {
    if (
      typeof character !== "string" ||
      [...character].length !== 1 ||
      character !== character.normalize("NFC") ||
      character === "\n"
    )
      throw new Error(`its vocabulary has ${JSON.stringify(character)}, which is not one character.`);
    return character;
  });
  if (new Set(characters).size !== characters.length)
    throw new Error("its vocabulary has a character twice.");
  return new Vocabulary(characters, groups);
}

/** The settings that files of 0.1.0 leave out, because that version had no others. */
const recipeOf010 = {
  keepBest: false,
  patience: 0,
  order: "random",
  targets: "hard",
  teacher: "none",
} as const;

function readDescription(
  training: unknown,
  layers: unknown,
): { step: number; recipe: Recipe; words: Fingerprint | undefined; layers: readonly LayerSpec[] } {
  const { step, recipe: options, words } = object(training, "training");
  const recipe = parseRecipe({ ...recipeOf010, ...object(options, "recipe") });
  if (!Array.isArray(layers) || layers.length === 0) throw new Error("its layers are not a list.");
  if (typeof step !== "number" || !Number.isInteger(step) || step < 0 || step > recipe.steps)
    throw new Error(
      `its step is ${JSON.stringify(step)}; it must be a whole number from 0 to ${recipe.steps}.`,
    );
  return {
    step,
    recipe,
    words: words === undefined ? undefined : readFingerprint(words),
    layers: parseLayers(layers),
  };
}

function readFingerprint(value: unknown): Fingerprint {
  const { count, order, set } = object(value, "words");
  const isWhole = (n: unknown): n is number =>
    typeof n === "number" && Number.isInteger(n) && n >= 0 && n <= 0xffffffff;
  if (!isWhole(count) || !isWhole(order) || !isWhole(set))
    throw new Error(`its words are ${JSON.stringify(value)}; they must be three whole numbers.`);
  return { count, order, set };
}

/** Reads the optimiser's state, if the file has it. */
function* readState(
  infos: readonly Fields[],
  network: Network,
  recipe: Recipe,
): Work<OptimizerState | undefined> {
  const [info, ...more] = infos;
  if (!info) return undefined;
  const states = stateOf(recipe.optimizer);
  if (more.length > 0 || states.length === 0)
    throw new Error("it has training state that its optimiser does not use.");
  const tensors = readTensors(decode(only(info, TrainingInfoProto.algorithm, "training algorithm")));
  const trained = network.parameters.filter((parameter) => parameter.trainable);
  const read = new Map<string, Parameters>();
  for (const [state, facts] of states) {
    const values: Parameters = new Map();
    for (const { name, shape } of trained)
      values.set(name, yield* numbers(tensors, `${name}.${state}`, { shape, ...facts }));
    read.set(state, values);
  }
  return read;
}

/** The tensors of a graph, by name. */
function readTensors(graph: Fields): ReadonlyMap<string, Fields> {
  return unique(
    messages(graph, GraphProto.initializer).map((tensor): [string, Fields] => [
      text(only(tensor, TensorProto.name, "tensor name")),
      tensor,
    ]),
    "tensor",
  );
}

/** Reads a tensor that must have a parameter's shape. */
function* numbers(
  tensors: ReadonlyMap<string, Fields>,
  name: string,
  parameter: Pick<Parameter, "shape" | "nonNegative">,
): Work<Float32Array<ArrayBuffer>> {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`it has no tensor ${name}.`);
  const type = only(tensor, TensorProto.dataType, `data type of ${name}`);
  const shape = (tensor.get(TensorProto.dims) ?? []).map(Number);
  if (type !== BigInt(DataType.float) || showShape(shape) !== showShape(parameter.shape))
    throw new Error(
      `its tensor ${name} must be float32 ${showShape(parameter.shape)}; it is ${showShape(shape)}.`,
    );
  const bytes = only(tensor, TensorProto.rawData, `data of ${name}`);
  const count = elements(parameter);
  if (!(bytes instanceof Uint8Array) || bytes.length !== count * 4)
    throw new Error(`its tensor ${name} must have ${count * 4} bytes of data.`);
  const values = new Float32Array(count);
  new Uint8Array(values.buffer).set(bytes);
  for (let from = 0; from < count; from += BLOCK) {
    const block = values.subarray(from, from + BLOCK);
    const bad = block.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new Error(`number ${from + bad} of its tensor ${name} is ${block[bad]}; it must be finite.`);
    const negative = parameter.nonNegative ? block.findIndex((value) => value < 0) : -1;
    if (negative >= 0)
      throw new Error(
        `number ${from + negative} of its tensor ${name} is ${block[negative]}; it must not be negative.`,
      );
    yield;
  }
  return values;
}

/** The fields of one protobuf message, by number, in file order. Inner messages are bytes that are not decoded yet. */
type Fields = ReadonlyMap<number, readonly (Uint8Array | bigint)[]>;

function decode(bytes: Uint8Array | bigint): Fields {
  if (!(bytes instanceof Uint8Array)) throw new Error("it has a number in place of a message.");
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | bigint)[]>();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const value =
      wireType === WireType.LengthDelimited
        ? reader.bytes()
        : wireType === WireType.Varint
          ? BigInt(reader.int64())
          : // Skip floats and doubles: they are attributes of nodes, which are ignored. ONNX has no groups.
            (refuseGroup(wireType) ?? reader.skip(wireType));
    const values = fields.get(field);
    if (values) values.push(value);
    else fields.set(field, [value]);
  }
  return fields;
}

function refuseGroup(wireType: WireType): undefined {
  if (wireType === WireType.StartGroup || wireType === WireType.EndGroup)
    throw new Error("it is not an ONNX file.");
  return undefined;
}

function only(fields: Fields, field: number, name: string): Uint8Array | bigint {
  const [value, ...more] = fields.get(field) ?? [];
  if (value === undefined || more.length > 0)
    throw new Error(`it must have one ${name}, and has ${value === undefined ? "none" : more.length + 1}.`);
  return value;
}

function messages(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).map(decode);
}

function text(bytes: Uint8Array | bigint): string {
  if (!(bytes instanceof Uint8Array)) throw new Error("it has a number in place of a text.");
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function unique<T>(entries: readonly [string, T][], kind: string): ReadonlyMap<string, T> {
  const map = new Map(entries);
  if (map.size !== entries.length) throw new Error(`it has a ${kind} twice.`);
  return map;
}

function json(metadata: ReadonlyMap<string, string>, key: string): unknown {
  const value = metadata.get(key);
  if (value === undefined) throw new Error(`its metadata has no "${key}".`);
  try {
    return JSON.parse(value);
  } catch {
    throw new Error(`the "${key}" of its metadata is not JSON.`);
  }
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error(`its ${name} is not an object.`);
}

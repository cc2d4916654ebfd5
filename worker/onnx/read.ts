/**
 * Reads a checkpoint from an .onnx file that `write.ts` made, in any of its forms. It ignores the graph in the file: the
 * metadata describes the network, and the network's parameters are then read, each checked by name, type, shape, length
 * and value. So nothing from the file is ever executed, and a forged file is either refused or a valid model.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import { ITEMS, runToEnd, type Work } from "../../src/slices";
import type { Fingerprint } from "../data/fingerprint";
import { isGroupName, isReadable } from "../data/normalization";
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
/** Maximum bytes of a text: parsed JSON takes many times its length. The longest possible vocabulary has 1 MB. */
const MAX_TEXT = 1 << 22;
/** Maximum repeats of a field in a message, except tensors: a field of 2 bytes takes far more memory once decoded. */
const MAX_FIELDS = 64;

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

/** Checks the checksum, which is the last entry. A truncated file has none; in a changed file it differs. */
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
  const { producerName, graph, metadataProps, trainingInfo } = ModelProto;
  const model = yield* decode(bytes, [producerName, graph, metadataProps, trainingInfo]);
  const producer = text(only(model, producerName, "producer_name"));
  if (producer !== PRODUCER)
    throw new Error(`it was made by ${formatValue(producer)}; it must be an export of ${PRODUCER}.`);
  const metadata = new Map<string, Uint8Array | bigint>();
  const { key, value } = StringStringEntryProto;
  for (const bytes of model.get(metadataProps) ?? []) {
    const entry = yield* decode(bytes, [key, value]);
    add(metadata, text(only(entry, key, "key")), only(entry, value, "value"), "metadata entry");
  }
  const groups = metadata.has("groups") ? readGroups(json(metadata, "groups")) : [];
  const vocabulary = readVocabulary(json(metadata, "vocabulary"), groups);
  const { step, recipe, words, layers } = readDescription(
    json(metadata, "training"),
    json(metadata, "layers"),
  );
  const network = buildNetwork(layers, vocabulary.size, vocabulary.groups.length);

  const names = network.parameters.map(({ name }) => name);
  const tensors = yield* readTensors(only(model, graph, "graph"), names);
  const parameters: Parameters = new Map();
  for (const parameter of network.parameters)
    parameters.set(parameter.name, yield* numbers(tensors, parameter.name, parameter));
  const optimizerState = yield* readState(model.get(trainingInfo) ?? [], network, recipe);
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
  const isName = (name: unknown): name is string => typeof name === "string" && isGroupName(name);
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
      !isReadable(character)
    )
      throw new Error(`its vocabulary has ${formatValue(character)}, which is not one character.`);
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
    throw new Error(`its step is ${formatValue(step)}; it must be a whole number from 0 to ${recipe.steps}.`);
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
    throw new Error(`its words are ${formatValue(value)}; they must be three whole numbers.`);
  return { count, order, set };
}

/** Reads the optimiser's state, if the file has it. */
function* readState(
  infos: readonly (Uint8Array | bigint)[],
  network: Network,
  recipe: Recipe,
): Work<OptimizerState | undefined> {
  const [info, ...more] = infos;
  if (info === undefined) return undefined;
  const states = stateOf(recipe.optimizer);
  if (more.length > 0 || states.length === 0)
    throw new Error("it has training state that its optimiser does not use.");
  const trained = network.parameters.filter((parameter) => parameter.trainable);
  const names = states.flatMap(([state]) => trained.map(({ name }) => `${name}.${state}`));
  const { algorithm } = TrainingInfoProto;
  const graph = only(yield* decode(info, [algorithm]), algorithm, "training algorithm");
  const tensors = yield* readTensors(graph, names);
  const read = new Map<string, Parameters>();
  for (const [state, facts] of states) {
    const values: Parameters = new Map();
    for (const { name, shape } of trained)
      values.set(name, yield* numbers(tensors, `${name}.${state}`, { shape, ...facts }));
    read.set(state, values);
  }
  return read;
}

/** Reads the tensors with these names from a graph. Does not keep the others: a forged file may have millions. */
function* readTensors(
  graph: Uint8Array | bigint,
  names: readonly string[],
): Work<ReadonlyMap<string, Fields>> {
  const wanted = new Set(names);
  const tensors = new Map<string, Fields>();
  const { dims, dataType, name, rawData } = TensorProto;
  for (const field of fieldsOf(graph, [GraphProto.initializer])) {
    yield;
    if (!field) continue;
    const tensor = yield* decode(field[1], [dims, dataType, name, rawData]);
    const title = text(only(tensor, name, "tensor name"));
    if (wanted.has(title)) add(tensors, title, tensor, "tensor");
  }
  return tensors;
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

/** Reads the `wanted` fields of a message. */
function* decode(bytes: Uint8Array | bigint, wanted: readonly number[]): Work<Fields> {
  const fields = new Map<number, (Uint8Array | bigint)[]>();
  for (const field of fieldsOf(bytes, wanted)) {
    if (!field) {
      yield;
      continue;
    }
    const [number, value] = field;
    const values = fields.get(number);
    if (!values) fields.set(number, [value]);
    else if (values.push(value) > MAX_FIELDS)
      throw new Error(`it has field ${number} more than ${MAX_FIELDS} times in one message.`);
  }
  return fields;
}

/** Yields the `wanted` fields of a message one by one; undefined between them is a chance to pause the work. */
function* fieldsOf(
  bytes: Uint8Array | bigint,
  wanted: readonly number[],
): Generator<readonly [field: number, value: Uint8Array | bigint] | undefined> {
  if (!(bytes instanceof Uint8Array)) throw new Error("it has a number in place of a message.");
  const reader = new BinaryReader(bytes);
  for (let count = 1; reader.pos < reader.len; count++) {
    if (count % ITEMS === 0) yield undefined;
    const [field, wireType] = reader.tag();
    refuseGroup(wireType);
    if (!wanted.includes(field)) reader.skip(wireType);
    else if (wireType === WireType.LengthDelimited) yield [field, reader.bytes()];
    else if (wireType === WireType.Varint) yield [field, BigInt(reader.int64())];
    else throw new Error(`its field ${field} is neither bytes nor a whole number.`);
  }
}

function refuseGroup(wireType: WireType): void {
  if (wireType === WireType.StartGroup || wireType === WireType.EndGroup)
    throw new Error("it is not an ONNX file.");
}

function only(fields: Fields, field: number, name: string): Uint8Array | bigint {
  const [value, ...more] = fields.get(field) ?? [];
  if (value === undefined || more.length > 0)
    throw new Error(`it must have one ${name}, and has ${value === undefined ? "none" : more.length + 1}.`);
  return value;
}

function text(bytes: Uint8Array | bigint): string {
  if (!(bytes instanceof Uint8Array)) throw new Error("it has a number in place of a text.");
  if (bytes.length > MAX_TEXT)
    throw new Error(`it has a text of ${bytes.length} bytes; at most ${MAX_TEXT} are possible.`);
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function add<T>(map: Map<string, T>, name: string, value: T, kind: string): void {
  if (map.has(name)) throw new Error(`it has a ${kind} twice.`);
  map.set(name, value);
}

function json(metadata: ReadonlyMap<string, Uint8Array | bigint>, key: string): unknown {
  const value = metadata.get(key);
  if (value === undefined) throw new Error(`its metadata has no "${key}".`);
  try {
    return JSON.parse(text(value));
  } catch (error) {
    throw new Error(`the "${key}" of its metadata is not JSON (${error}).`);
  }
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error(`its ${name} is not an object.`);
}

/** Mutations of .onnx files: of their bytes, of their fields, of their numbers and of their descriptions. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { crc32 } from "../../worker/onnx/checksum";
import { GraphProto, ModelProto, StringStringEntryProto, TensorProto } from "../../worker/onnx/schema";
import { checksumEntry } from "../../worker/onnx/write";
import type { Draw } from "./setup";

/** A field of a message: its number, how its value is written, and its value. */
export interface Field {
  number: number;
  type: WireType;
  value: Uint8Array<ArrayBufferLike>;
}

/** The fields of a message, each value as it stands in the file, without its length. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const reader = new BinaryReader(bytes);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = type === WireType.LengthDelimited ? reader.bytes() : reader.skip(type);
    fields.push({ number, type, value: value.slice() });
  }
  return fields;
}

/** Writes a message of such fields. */
export function encode(fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { number, type, value } of fields) {
    writer.uint32((number << 3) | type);
    if (type === WireType.LengthDelimited) writer.bytes(value);
    else writer.raw(value);
  }
  return writer.finish();
}

/** The fields that are messages, by what holds them. */
const INSIDE: readonly (readonly number[])[] = [
  [],
  [ModelProto.graph],
  [ModelProto.graph, GraphProto.initializer],
  [ModelProto.graph, GraphProto.node],
  [ModelProto.metadataProps],
  [ModelProto.trainingInfo],
  [ModelProto.trainingInfo, 2],
  [ModelProto.trainingInfo, 2, GraphProto.initializer],
];

/** Changes a message somewhere inside another. */
function within(bytes: Uint8Array, path: readonly number[], draw: Draw, change: (fields: Field[]) => void) {
  const fields = fieldsOf(bytes);
  const [next, ...rest] = path;
  if (next === undefined) change(fields);
  else {
    const inside = fields.filter(({ number }) => number === next);
    if (inside.length === 0) return bytes;
    const field = draw.one(inside);
    field.value = within(field.value, rest, draw, change);
  }
  return encode(fields);
}

const HUGE_LENGTHS = [
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
];

const FLOATS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, -1, 3e38, 1e-45];

/** What takes the place of a value in JSON. */
const VALUES: readonly unknown[] = [
  null,
  true,
  "",
  "a",
  "é",
  "e\u0301",
  "\ud800",
  "\0",
  "\u2028",
  "__proto__",
  "x".repeat(100_000),
  -1,
  -0,
  0,
  0.5,
  1,
  2,
  3,
  255,
  256,
  257,
  65_535,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e308,
  [],
  {},
  [[]],
  [0, 0, 0],
  { type: "Tanh" },
  { type: "Embedding", dimensions: 4096 },
  { type: "Residual", layers: [{ type: "Tanh" }] },
  { type: "constructor" },
  new Array(1000).fill({ type: "Tanh" }),
];

/** Changes one value somewhere in JSON: replaced, left out, renamed, twice. */
function changeJSON(value: unknown, draw: Draw): unknown {
  if (typeof value !== "object" || value === null || draw.below(4) === 0) return draw.one(VALUES);
  const entries = Object.entries(value);
  if (entries.length === 0) return draw.one(VALUES);
  const at = draw.below(entries.length);
  const [name, inside] = draw.one(entries.slice(at, at + 1));
  const way = draw.below(8);
  if (way === 0) entries.splice(at, 1);
  else if (way === 1) entries.push([draw.one(["__proto__", "type", "length", "x", "m"]), inside]);
  else if (way === 2) entries.splice(at, 0, [name, inside]);
  else if (way === 3) entries.reverse();
  else entries[at] = [name, changeJSON(inside, draw)];
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

type Mutation = (content: Uint8Array, draw: Draw, other: Uint8Array) => Uint8Array;

const bytesOf = (draw: Draw, most: number) =>
  Uint8Array.from({ length: draw.below(most) }, () => draw.below(256));

const splice = (bytes: Uint8Array, from: number, to: number, between: ArrayLike<number>) =>
  Uint8Array.from([...bytes.subarray(0, from), ...Array.from(between), ...bytes.subarray(to)]);

const utf8 = (text: string) => new TextEncoder().encode(text);

export const mutations: Readonly<Record<string, Mutation>> = {
  flip(content, draw) {
    const bytes = content.slice();
    for (let i = draw.below(8); i >= 0; i--) {
      // Half of them in the first part, where the description is.
      const at = draw.below(draw.below(2) ? bytes.length : Math.min(bytes.length, 400));
      bytes[at] = (bytes[at] ?? 0) ^ (1 << draw.below(8));
    }
    return bytes;
  },
  truncate: (content, draw) => content.slice(0, draw.below(content.length)),
  insert(content, draw) {
    const at = draw.below(content.length);
    return splice(content, at, at, bytesOf(draw, 40));
  },
  remove(content, draw) {
    const at = draw.below(content.length);
    return splice(content, at, at + 1 + draw.below(40), []);
  },
  repeat(content, draw) {
    const at = draw.below(content.length);
    return splice(content, at, at, content.subarray(at, at + draw.below(400)));
  },
  join(content, draw, other) {
    return splice(
      content,
      draw.below(content.length),
      content.length,
      other.subarray(draw.below(other.length)),
    );
  },
  hugeLength(content, draw) {
    const at = draw.below(content.length);
    return splice(content, at, at + 1, draw.one(HUGE_LENGTHS));
  },
  field: (content, draw, other) =>
    within(content, draw.one(INSIDE), draw, (fields) => {
      if (fields.length === 0) return;
      const at = draw.below(fields.length);
      const field = draw.one(fields.slice(at, at + 1));
      const way = draw.below(9);
      if (way === 0) fields.splice(at, 1);
      else if (way === 1) fields.push({ ...field });
      else if (way === 2) fields.reverse();
      else if (way === 3) field.number = draw.one([1, 2, 5, 7, 8, 9, 14, 20, 2 ** 28]);
      else if (way === 4) field.type = draw.below(8);
      else if (way === 5) field.value = Uint8Array.from(draw.one(HUGE_LENGTHS));
      else if (way === 6) field.value = bytesOf(draw, 100);
      else if (way === 7) fields.splice(at, 0, draw.one(fieldsOf(other)));
      else for (let i = draw.below(200); i > 0; i--) fields.push({ ...field });
    }),
  /** A tensor's name: missing, another's, or that of one that is there already. */
  name: (content, draw) =>
    within(content, [ModelProto.graph], draw, (fields) => {
      const tensors = fields.filter(({ number }) => number === GraphProto.initializer);
      const named = (bytes: Uint8Array) =>
        fieldsOf(bytes).find(({ number }) => number === TensorProto.name)?.value ?? new Uint8Array();
      const name = draw.one([named(draw.one(tensors).value), utf8("x"), utf8(""), utf8("__proto__")]);
      const tensor = draw.one(tensors);
      tensor.value = encode(
        fieldsOf(tensor.value).map((field) =>
          field.number === TensorProto.name ? { ...field, value: name } : field,
        ),
      );
    }),
  /** Weights, and what an optimiser remembers. */
  number: (content, draw) =>
    within(
      content,
      draw.one(INSIDE.filter((path) => path.at(-1) === GraphProto.initializer)),
      draw,
      (fields) => {
        const data = fields.find(({ number }) => number === TensorProto.rawData);
        if (!data || data.value.length < 4) return;
        const at = 4 * draw.below(data.value.length / 4);
        new DataView(data.value.buffer, data.value.byteOffset).setFloat32(at, draw.one(FLOATS), true);
      },
    ),
  description: (content, draw) =>
    within(content, [ModelProto.metadataProps], draw, (fields) => {
      const field = fields.find(({ number }) => number === StringStringEntryProto.value);
      if (!field) return;
      try {
        field.value = utf8(
          JSON.stringify(changeJSON(JSON.parse(new TextDecoder().decode(field.value)), draw)),
        );
      } catch {
        // The form's name is no JSON.
        field.value = utf8(draw.one(["window", "sequence", "", "x"]));
      }
    }),
};

/** The content of a file, which is all but its checksum. */
export const contentOf = (file: Uint8Array) => file.subarray(0, file.length - checksumEntry(0).length);

/** A forger's file: the checksum is right, whatever is before it. */
export function sealed(content: Uint8Array): Uint8Array {
  const entry = checksumEntry(crc32(content));
  const file = new Uint8Array(content.length + entry.length);
  file.set(content);
  file.set(entry, content.length);
  return file;
}

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MakemoreError } from "../../src/errors";
import { crc32 } from "../../worker/onnx/checksum";
import { encodeModel } from "../../worker/onnx/encode";
import { GraphBuilder } from "../../worker/onnx/graph";
import { readONNX } from "../../worker/onnx/read";
import { ModelProto } from "../../worker/onnx/schema";
import { windowGraph } from "../../worker/onnx/window";
import { checksumEntry, writeONNX } from "../../worker/onnx/write";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { randomCheckpoint } from "../checkpoint";

const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 3, hidden: 5 });
const file = writeONNX(checkpoint, { form: "window", trainingState: true });

function refusal(bytes: Uint8Array): MakemoreError {
  try {
    readONNX(bytes);
  } catch (error) {
    if (error instanceof MakemoreError && error.code === "INVALID_ONNX") return error;
    throw error;
  }
  throw new Error("The file was not refused.");
}

/** Makes a file with a correct checksum for any content, as a forger would. */
function sealed(content: Uint8Array): Uint8Array {
  const entry = checksumEntry(crc32(content));
  return Uint8Array.from([...content, ...entry]);
}

/** Makes a file with changed metadata, and with the graph of a changed checkpoint. */
function forged(metadata: Record<string, unknown>, change: Partial<Checkpoint> = {}): Uint8Array {
  const { network, parameters, vocabulary, step, recipe } = { ...checkpoint, ...change };
  const entries = {
    vocabulary: vocabulary.characters,
    layers: network.layers.map((layer) => layer.spec),
    training: { step, recipe },
    ...metadata,
  };
  return sealed(
    encodeModel({
      graph: windowGraph(network, parameters),
      description: "",
      metadata: Object.fromEntries(
        Object.entries(entries)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
      ),
    }),
  );
}

test("a forged file without changes is read, so the other tests' changes are the reason for a refusal", () => {
  expect(readONNX(forged({})).parameters).toEqual(checkpoint.parameters);
});

test("CRC-32 has the standard's check value", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});

test("a file that is cut off anywhere is refused", () => {
  for (let length = 0; length < file.length; length += length < 300 || file.length - length < 300 ? 1 : 97)
    expect(refusal(file.subarray(0, length)).message).toContain("not whole");
});

test("a file with one changed byte anywhere is refused", () => {
  const altered = file.slice();
  for (let i = 0; i < file.length; i += i < 300 || file.length - i < 300 ? 1 : 31) {
    altered[i] = (file[i] ?? 0) ^ (1 << (i % 8));
    expect(refusal(altered).message).toMatch(/altered|not whole/);
    altered[i] = file[i] ?? 0;
  }
});

test("a file with bytes before or after it is refused, and so are other files", () => {
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.from([0, ...file]),
    Uint8Array.from([...file, 0]),
    new TextEncoder().encode("<!doctype html><title>404</title>".repeat(100)),
    encodeModel({ graph: new GraphBuilder([], new Map()), description: "" }),
  ])
    expect(refusal(bytes).message).toMatch(/export of makemore-web|altered/);
});

test.each<[string, string | number[], RegExp]>([
  ["a list of words", "emma\r\nolivia\n", /a text that begins with "emma"; words go to train/],
  ["one word", "emma", /a text that begins with "emma"/],
  ["a table", "name,count\nemma,20355\n", /a table that begins with "name,count".*column/],
  ["a web page", " <!DOCTYPE html><title>404</title>", /an HTML or XML document; where a file is missing/],
  ["JSON", '{"error": "not found"}', /is JSON/],
  ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", /git lfs pull/],
  ["a zip archive", "PK\x03\x04\x14\x00", /zip archive; unpack/],
  ["a gzip file", [0x1f, 0x8b, 8, 0], /gzip/],
  ["a UTF-16 text", [0xff, 0xfe, 0x65, 0], /UTF-16 text/],
  ["an image", [0x89, 0x50, 0x4e, 0x47, 13, 10], /is an image/],
  ["nothing", [], /is empty/],
])("%s is refused, and the error says what the file is", (_, content, message) => {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
  expect(refusal(bytes).message).toMatch(message);
});

test.each<[string, Uint8Array, RegExp]>([
  ["no vocabulary", forged({ vocabulary: undefined }), /no "vocabulary"/],
  ["a vocabulary that is not JSON", forged({ vocabulary: "[" }), /"vocabulary" .* not JSON/],
  ["a vocabulary that is not a list", forged({ vocabulary: { length: 26 } }), /vocabulary is not a list/],
  ["a character that is a word", forged({ vocabulary: ["ab", "c"] }), /"ab", which is not one character/],
  ["a character that is a number", forged({ vocabulary: ["a", 5] }), /5, which is not one character/],
  ["a line break", forged({ vocabulary: ["a", "\n"] }), /"\\n", which is not one character/],
  ["a character not in NFC", forged({ vocabulary: ["a", "\u212b"] }), /which is not one character/],
  ["a character twice", forged({ vocabulary: [..."abcdefghijklmnopqrstuvwxyy"] }), /character twice/],
  [
    "a vocabulary of another size",
    forged({ vocabulary: [..."abc"] }),
    /linear3, gives \[1, 27\], but the logits are \[1, 4\]/,
  ],
  ["an unknown layer", forged({ layers: [{ type: "Softmax" }] }), /layers?\b|model\.0\.type/i],
  ["layers that are not a list", forged({ layers: "7" }), /layers are not a list/],
  [
    "a layer of monstrous size",
    forged({ layers: [{ type: "Embedding", dimensions: 1e300 }] }),
    /dimensions is 1e\+300/,
  ],
  [
    "layers that do not fit",
    forged({ layers: [{ type: "Embedding", dimensions: 3 }, { type: "Tanh" }] }),
    /tanh1, gives \[1, 3\]/,
  ],
  [
    "a context of monstrous length",
    forged({
      layers: [
        { type: "Embedding", dimensions: 1 },
        ...new Array(200)
          .fill([
            { type: "FlattenConsecutive", n: 256 },
            { type: "Linear", fanOut: 1 },
          ])
          .flat(),
        { type: "Linear" },
      ],
    }),
    /context/i,
  ],
  [
    "another model's layers",
    forged({ layers: randomCheckpoint("mlp").network.layers.map((l) => l.spec) }),
    /embedding\.weight must be float32 \[27, 10\]; it is \[27, 3\]/,
  ],
  ["no step", forged({ training: { recipe: checkpoint.recipe } }), /step is undefined/],
  [
    "a step beyond the end",
    forged({ training: { step: 10_001, recipe: checkpoint.recipe } }),
    /step is 10001; .* 3400/,
  ],
  ["half a step", forged({ training: { step: 0.5, recipe: checkpoint.recipe } }), /step is 0\.5/],
  [
    "a recipe with a huge batch",
    forged({ training: { step: 0, recipe: { ...checkpoint.recipe, batchSize: 1e9 } } }),
    /loaded: its recipe: batchSize is 1000000000/,
  ],
  [
    "a recipe that is not an object",
    forged({ training: { step: 0, recipe: [] } }),
    /recipe is not an object/,
  ],
  [
    "an invalid fingerprint of words",
    forged({ training: { step: 0, recipe: checkpoint.recipe, words: { count: 3, order: -1, set: 0 } } }),
    /its words are .*three whole numbers/,
  ],
  ["training that is null", forged({ training: "null" }), /training is not an object/],
  ["deep nesting", forged({ training: "[".repeat(200_000) }), /not JSON/],
])("%s is refused", (_, bytes, message) => {
  expect(refusal(bytes).message).toMatch(message);
});

test.each([
  [Number.NaN, /number 3 of its tensor linear1\.weight is NaN/],
  [Number.POSITIVE_INFINITY, /is Infinity/],
])("the weight %d is refused", (value, message) => {
  const parameters = new Map(checkpoint.parameters);
  const weight = parameters.get("linear1.weight")?.slice();
  if (weight) parameters.set("linear1.weight", weight.fill(value, 3, 4));
  expect(refusal(forged({}, { parameters })).message).toMatch(message);
});

test("a negative variance is refused", () => {
  const parameters = new Map(checkpoint.parameters);
  const name = "batchNorm1d1.runningVariance";
  const variance = parameters.get(name)?.slice();
  if (variance) parameters.set(name, variance.fill(-1, 2, 3));
  expect(refusal(forged({}, { parameters })).message).toMatch(
    /number 2 of its tensor batchNorm1d1\.runningVariance is -1; it must not be negative/,
  );
});

test.each<[string, Uint8Array, RegExp]>([
  [
    "a length far beyond the file",
    new BinaryWriter().tag(ModelProto.graph, WireType.LengthDelimited).uint32(0xffffffff).finish(),
    /premature EOF/,
  ],
  [
    "a file of nothing but nested groups",
    Uint8Array.from(new Array(100_000).fill((ModelProto.graph << 3) | WireType.StartGroup)),
    /not an ONNX file/,
  ],
  [
    "a number in the place of a text",
    new BinaryWriter().tag(ModelProto.producerName, WireType.Varint).int64(1).finish(),
    /it has a number in place of a text/,
  ],
  ["a field without a number", Uint8Array.from([0, 0, 0, 0]), /field no 0/],
  ["a number that never ends", Uint8Array.from(new Array(30).fill(0xff)), /invalid varint/],
])("%s is refused", (_, bytes, message) => {
  expect(refusal(sealed(bytes)).message).toMatch(message);
});

test("a repeated parameter or a missing moment is refused", () => {
  // A second graph or training part, as a forger would append it.
  const content = file.subarray(0, file.length - checksumEntry(0).length);
  expect(refusal(sealed(Uint8Array.from([...content, ...content]))).message).toMatch(
    /must have one producer_name/,
  );
  const without: Checkpoint = { ...checkpoint, optimizerState: new Map([["m", new Map()]]) };
  expect(() => writeONNX(without, { form: "window", trainingState: true })).toThrow("no state m");
});

test("a forged file with random changes is refused, or is a model with finite numbers", () => {
  const content = file.subarray(0, file.length - checksumEntry(0).length);
  const flips = fc.array(fc.record({ at: fc.nat(content.length - 1), to: fc.nat(255) }), {
    minLength: 1,
    maxLength: 8,
  });
  let read = 0;
  fc.assert(
    fc.property(flips, (changes) => {
      const altered = content.slice();
      for (const { at, to } of changes) altered[at] = to;
      let back: Checkpoint;
      try {
        back = readONNX(sealed(altered));
      } catch (error) {
        return error instanceof MakemoreError && error.code === "INVALID_ONNX" && error.message.length < 1000;
      }
      read++;
      return [...back.parameters.values()].every((values) => values.every(Number.isFinite));
    }),
    { seed: 42, numRuns: 1000 },
  );
  // Some changed bytes are allowed: those of the graph, and the low bits of weights.
  expect(read).toBeGreaterThan(100);
});

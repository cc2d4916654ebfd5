/** Files that claim to contain far more than they do must not take more memory than their own size again. */
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { readWork } from "../../worker/onnx/read";
import { GraphProto, ModelProto, StringStringEntryProto, TensorProto } from "../../worker/onnx/schema";
import { writeONNX } from "../../worker/onnx/write";
import { randomCheckpoint } from "../checkpoint";
import { sealed } from "./mutateFile";

const SIZE = 12 << 20;
/** Allowed extra memory for uncollected garbage and for the test itself, bytes. */
const SLACK = 24 << 20;

const message = (field: number, ...parts: Uint8Array[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
  return Buffer.concat([head, ...parts]);
};

/** A field that repeats a pattern up to `SIZE` bytes. */
const many = (field: number, pattern: readonly number[]): Uint8Array =>
  message(field, Buffer.alloc(SIZE, Buffer.from(pattern)));

const text = (value: string) => new TextEncoder().encode(value);

const metadata = (key: string, value: Uint8Array) =>
  message(
    ModelProto.metadataProps,
    message(StringStringEntryProto.key, text(key)),
    message(StringStringEntryProto.value, value),
  );

const checkpoint = randomCheckpoint({ contextLength: 4, embedding: 3, hidden: 5 });
const { network, vocabulary, step, recipe } = checkpoint;

/** A file with a valid description, the given graph, and changed metadata. */
const described = (graph: Uint8Array, changes: Record<string, Uint8Array> = {}): Uint8Array =>
  Buffer.concat([
    message(ModelProto.producerName, text("makemore-web")),
    ...Object.entries({
      vocabulary: text(JSON.stringify(vocabulary.characters)),
      layers: text(JSON.stringify(network.layers.map(({ spec }) => spec))),
      training: text(JSON.stringify({ step, recipe })),
      ...changes,
    }).map(([key, value]) => metadata(key, value)),
    graph,
  ]);

const noGraph = message(ModelProto.graph);
const tag = (field: number, type = WireType.LengthDelimited) => (field << 3) | type;
const filled = (pattern: string) => Buffer.alloc(SIZE, pattern);

const claims: Readonly<Record<string, () => Uint8Array>> = {
  "numbers without end": () =>
    Buffer.alloc(SIZE, Buffer.from([tag(ModelProto.irVersion, WireType.Varint), 1])),
  "graphs without end": () => Buffer.alloc(SIZE, Buffer.from([tag(ModelProto.graph), 0])),
  "entries without end": () => Buffer.alloc(SIZE, Buffer.from([tag(ModelProto.metadataProps), 0])),
  "empty tensors without end": () => described(many(ModelProto.graph, [tag(GraphProto.initializer), 0])),
  "named tensors without end": () =>
    described(many(ModelProto.graph, [tag(GraphProto.initializer), 4, tag(TensorProto.name), 2, 97, 98])),
  "dimensions without end": () =>
    described(
      message(ModelProto.graph, many(GraphProto.initializer, [tag(TensorProto.dims, WireType.Varint), 1])),
    ),
  "nodes without end": () => described(many(ModelProto.graph, [tag(GraphProto.node), 0])),
  "JSON of nothing but lists": () => described(noGraph, { vocabulary: text(`[${"[],".repeat(SIZE / 3)}0]`) }),
  "JSON of nothing but numbers": () => described(noGraph, { layers: filled("1,") }),
  "a producer of 12 MB": () => message(ModelProto.producerName, filled("m")),
  "a character of 12 MB": () => described(noGraph, { vocabulary: text(`["a","${"b".repeat(SIZE)}"]`) }),
  "a tensor's name of 12 MB": () =>
    described(
      message(ModelProto.graph, message(GraphProto.initializer, message(TensorProto.name, filled("n")))),
    ),
  "an embedding of 2 GB": () =>
    described(noGraph, {
      layers: text(
        JSON.stringify([
          { type: "Embedding", dimensions: 4096 },
          ...new Array(4).fill({ type: "Linear", fanOut: 4096 }),
          { type: "Linear" },
        ]),
      ),
    }),
};

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Reads a file, and measures the peak of additional memory between the slices of the work, bytes. */
async function reading(file: Uint8Array): Promise<{ answer: string; most: number }> {
  const taken = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  collectGarbage();
  // V8 frees the memory of buffers a little later.
  await setTimeout(50);
  const before = taken();
  let most = before;
  const work = readWork(file);
  let answer = "read";
  try {
    for (let turn = 0; !work.next().done; turn++) if (turn % 32 === 0) most = Math.max(most, taken());
  } catch (error) {
    answer = error instanceof Error ? error.message : String(error);
  }
  return { answer, most: Math.max(most, taken()) - before };
}

test("a valid file takes about its own size in additional memory", async () => {
  const file = writeONNX(randomCheckpoint({ contextLength: 8, embedding: 64, hidden: 600 }), {
    trainingState: true,
  });
  expect(file.length).toBeGreaterThan(10 << 20);
  const { answer, most } = await reading(file);
  expect(answer).toBe("read");
  // The measurement must notice this memory, or the other tests would prove nothing.
  expect(most).toBeGreaterThan(0.9 * file.length);
  expect(most).toBeLessThan(file.length + SLACK);
});

test.each(Object.entries(claims))("refused within the file's size in memory: %s", async (_, make) => {
  const file = sealed(make());
  const { answer, most } = await reading(file);
  expect(answer).toMatch(/^This file cannot be loaded: /);
  expect(most).toBeLessThan(file.length + SLACK);
});

/** ONNX Runtime reads only files that the package wrote, never a file that the page loaded. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WireType } from "@bufbuild/protobuf/wire";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Makemore as MakemoreClass } from "../../src/index";
import { crc32 } from "../../worker/onnx/checksum";
import { GraphProto, ModelProto, NodeProto, StringStringEntryProto } from "../../worker/onnx/schema";
import { checksumEntry } from "../../worker/onnx/write";
import { encode, type Field, fieldsOf } from "../fuzz/mutateFile";
import { type BuiltSite, dist, openSite } from "./builtSite";

/** A script to append to the chunk with ONNX Runtime. It sends the page every file from which a session is created. */
const spy = `{
  const channel = new BroadcastChannel("onnxruntime");
  channel.onmessage = ({ data }) => channel.postMessage(data);
  const { InferenceSession } = globalThis.makemoreWebChunks.ort;
  const create = InferenceSession.create;
  InferenceSession.create = (file, ...rest) => {
    channel.postMessage(file.slice());
    return Reflect.apply(create, InferenceSession, [file, ...rest]);
  };
}`;

/** `read` makes the calls that need ONNX Runtime, and returns the files that it got and the model's export. */
const script = `
  const words = "emma olivia ava isabella sophia mia".split(" ");
  const channel = new BroadcastChannel("onnxruntime");
  async function read(mm) {
    const sampled = await mm.sample(5, { seed: 1 });
    await mm.sample(2, { seed: 1, suffix: "a" });
    const scores = await mm.score(words);
    await mm.evaluate(words);
    await mm.next("em");
    return { results: JSON.stringify([sampled, scores]), file: await mm.exportONNX() };
  }
  globalThis.run = async (model, file) => {
    const mm = new Makemore({ backend: "wasm" });
    const files = [];
    const flushed = new Promise((resolve) => {
      channel.onmessage = ({ data }) => (data === "end" ? resolve() : files.push([...data]));
    });
    if (file) await mm.load(new Uint8Array(file));
    else await mm.train(words, { model, steps: 5, split: [1, 0, 0] });
    const outcome = await read(mm);
    // The worker sends this back after all earlier messages.
    channel.postMessage("end");
    await flushed;
    mm.dispose();
    return { results: outcome.results, file: [...outcome.file], files };
  };
`;

declare global {
  var run: (
    model: Parameters<MakemoreClass["train"]>[1],
    file?: readonly number[],
  ) => Promise<{ results: string; file: number[]; files: number[][] }>;
}

const folder = mkdtempSync(join(tmpdir(), "makemore-outside-"));
let site: BuiltSite;
let page: Page;
beforeAll(async () => {
  const watched = join(folder, "ort.js");
  writeFileSync(watched, `${readFileSync(`${dist}makemore-web/ort.js`, "utf8")}\n${spy}`);
  site = await openSite(script, {}, { "/dist/makemore-web/ort.js": watched });
  page = await site.open();
});
afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true });
});

const MARKER = "from outside";
const text = (number: number, value = MARKER): Field => ({
  number,
  type: WireType.LengthDelimited,
  value: new TextEncoder().encode(value),
});
const message = (number: number, fields: readonly Field[]): Field => ({
  number,
  type: WireType.LengthDelimited,
  value: encode(fields),
});

/** Makes a file with the same weights, and with the marker in every place that `load` ignores. */
function marked(file: Uint8Array): Uint8Array {
  const { producerVersion, docString, graph, metadataProps } = ModelProto;
  const replaced: number[] = [producerVersion, docString, graph];
  const fields = fieldsOf(file.subarray(0, file.length - checksumEntry(0).length));
  const original = fields.find(({ number }) => number === graph) ?? expect.unreachable();
  const weights = fieldsOf(original.value).filter(({ number }) => number === GraphProto.initializer);
  const { input, output, name, opType } = NodeProto;
  const node = message(
    GraphProto.node,
    [input, output, name, opType].map((number) => text(number)),
  );
  const { key, value } = StringStringEntryProto;
  const content = encode([
    ...fields.filter(({ number }) => !replaced.includes(number)),
    ...[producerVersion, docString].map((number) => text(number)),
    message(graph, [node, text(GraphProto.name), text(GraphProto.docString), ...weights]),
    message(metadataProps, [text(key), text(value)]),
    // A field that no version of ONNX has.
    text(99),
  ]);
  return Uint8Array.from([...content, ...checksumEntry(crc32(content))]);
}

const has = (bytes: readonly number[], what: string) => Buffer.from(bytes).includes(what);

// A model that sees a window and a model that reads words, because their graphs differ.
test.each(["wavenet", "gru"] as const)("ONNX Runtime reads nothing of a loaded file: %s", async (type) => {
  const model = { type, hidden: 8, embedding: 4 };
  const run = (file?: number[]) =>
    page.evaluate(([given, bytes]) => globalThis.run(given as never, bytes as never), [model, file] as const);
  const trained = await run();
  expect(trained.files.length).toBeGreaterThan(1);
  const outside = [...marked(Uint8Array.from(trained.file))];
  expect(has(outside, MARKER)).toBe(true);
  const loaded = await run(outside);
  // The results show that the file's weights were read. Everything else must be the package's own.
  expect(loaded.results).toBe(trained.results);
  expect(loaded.files).toEqual(trained.files);
  expect(loaded.file).toEqual(trained.file);
  for (const file of [...loaded.files, loaded.file]) expect(has(file, MARKER)).toBe(false);
});

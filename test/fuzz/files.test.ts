/** Mutated .onnx files: each must be refused, or read with exactly the numbers that it contains. */
import { expect, test } from "vitest";
import { MakemoreError } from "../../src/errors";
import { Vocabulary } from "../../worker/data/vocabulary";
import { createWasmPredictor } from "../../worker/engines/wasm/predictor";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork } from "../../worker/model/network";
import { readONNX } from "../../worker/onnx/read";
import { GraphProto, ModelProto, TensorProto } from "../../worker/onnx/schema";
import { writeONNX } from "../../worker/onnx/write";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { randomCheckpoint } from "../checkpoint";
import { contentOf, fieldsOf, mutations, sealed } from "./mutateFile";
import { CASES, Draw, LIMIT_MS, SEED } from "./setup";

const wavenet = { contextLength: 4, embedding: 3, hidden: 5 };

function withGroups(): Checkpoint {
  const vocabulary = new Vocabulary([..."abcdefghi"], ["elves", "dwarves"]);
  const network = buildNetwork(architecture(wavenet), vocabulary.size, 2);
  return { ...randomCheckpoint(wavenet, vocabulary), network };
}

const checkpoints: Readonly<Record<string, Checkpoint>> = {
  wavenet: randomCheckpoint(wavenet),
  gru: randomCheckpoint({ type: "gru", embedding: 3, hidden: 5 }),
  transformer: randomCheckpoint({ type: "transformer", layers: 1, heads: 2, embedding: 4, contextLength: 8 }),
  groups: withGroups(),
};

const files = Object.entries(checkpoints).map(
  ([name, checkpoint]) => [name, checkpoint, writeONNX(checkpoint, { trainingState: true })] as const,
);

/** Returns the bytes of a tensor in the file. */
function dataOf(file: Uint8Array, name: string): Uint8Array | undefined {
  const inside = (fields: ReturnType<typeof fieldsOf>, number: number) =>
    fields.filter((field) => field.number === number).map(({ value }) => value);
  const [graph = new Uint8Array()] = inside(fieldsOf(file), ModelProto.graph);
  const tensors = inside(fieldsOf(graph), GraphProto.initializer).map(fieldsOf);
  const tensor = tensors.find((each) => new TextDecoder().decode(inside(each, TensorProto.name)[0]) === name);
  return tensor && inside(tensor, TensorProto.rawData)[0];
}

const specs = (checkpoint: Checkpoint) => JSON.stringify(checkpoint.network.layers.map(({ spec }) => spec));
const bytes = (values: Float32Array | undefined) =>
  values && new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const same = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

/** Computes the logits of two short inputs. */
async function logits({ network, parameters }: Checkpoint): Promise<number[]> {
  const predictor = await createWasmPredictor(network, 2);
  try {
    predictor.load(parameters);
    return Array.from(await predictor.predict(Uint32Array.from([0, 1, 2, 0, 3, 4]), 3));
  } finally {
    predictor.dispose();
  }
}

test.each(files)(
  "mutated files of a model are refused or read exactly: %s",
  async (_, checkpoint, file) => {
    const content = contentOf(file);
    const expected = await logits(checkpoint);
    const names = Object.keys(mutations);
    const outcomes = { refused: 0, right: 0, changed: 0 };
    for (let number = 0; number < CASES / files.length; number++) {
      const draw = new Draw(SEED * 1_000_003 + number);
      const [, , other] = draw.one(files);
      let mutated = content;
      const done: string[] = [];
      for (let i = draw.below(3); i >= 0; i--) {
        const name = draw.one(names);
        try {
          mutated = mutations[name]?.(mutated, draw, other) ?? mutated;
          done.push(name);
        } catch {
          // An earlier mutation broke the structure that this one needs.
        }
      }
      // Most files get a correct checksum, because the others are refused for their checksum alone.
      const isSealed = draw.below(8) > 0;
      const altered = isSealed
        ? sealed(mutated)
        : Uint8Array.from([...mutated, ...file.subarray(content.length)]);
      const label = `seed ${SEED}, number ${number}: ${done.join(", ")}`;
      const start = performance.now();
      let back: Checkpoint;
      try {
        back = readONNX(altered);
      } catch (error) {
        outcomes.refused++;
        if (!(error instanceof MakemoreError) || error.code !== "INVALID_ONNX")
          throw new Error(label, { cause: error });
        expect(error.message, label).toMatch(/^This file cannot be loaded: /);
        expect(error.message.length, label).toBeLessThan(600);
        continue;
      } finally {
        expect(performance.now() - start, label).toBeLessThan(LIMIT_MS);
      }
      if (!isSealed) expect(same(mutated, content), label).toBe(true);
      let unchanged = specs(back) === specs(checkpoint);
      for (const [name, values] of back.parameters) {
        // `same` compares bits, so it tells -0 from 0.
        if (!same(bytes(values), dataOf(altered, name))) expect.fail(`${label}: ${name} is not the file's`);
        if (!values.every(Number.isFinite)) expect.fail(`${label}: ${name} is not finite`);
        unchanged &&= same(bytes(values), bytes(checkpoint.parameters.get(name)));
      }
      outcomes[unchanged ? "right" : "changed"]++;
      // The model can be written and read again.
      const again = readONNX(writeONNX(back, { trainingState: true }));
      if (specs(again) !== specs(back)) expect.fail(`${label}: it is read as another model the second time`);
      if (unchanged && outcomes.right % 10 === 0) expect(await logits(back), label).toEqual(expected);
    }
    if (CASES > 10_000) console.log(JSON.stringify(outcomes));
    // The mutations must produce all three outcomes.
    expect(outcomes.right).toBeGreaterThan(0);
    expect(outcomes.changed).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  },
  3_600_000,
);

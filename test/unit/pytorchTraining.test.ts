/**
 * Compares examples/pytorch/train.py with this package. Two processes of PyTorch, started by torchrun, and a session in
 * this process train the same models on the same words, and each goes on from the other's file.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PlainTrainOptions } from "../../src/protocol";
import { createTfjsPredictor } from "../../worker/engines/tfjs/predictor";
import { createWasmPredictor } from "../../worker/engines/wasm/predictor";
import { initialParameters, type Network } from "../../worker/model/network";
import { readONNX } from "../../worker/onnx/read";
import { Session } from "../../worker/session";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { int32, runFile } from "../onnxRuntime";
import { allowedDifference, largestDifference } from "../pytorch";
import { sentWords } from "../sentWords";
import { onEvents, settled } from "../session";

vi.mock("../../worker/assets", async () => {
  const assets = await (await import("../session")).nodeAssets();
  const { createTfjsEngine } = await import("../../worker/engines/tfjs");
  const tfjs = (setup: Parameters<typeof createTfjsEngine>[0]) => createTfjsEngine(setup, { backend: "cpu" });
  return { ...assets, engines: { ...assets.engines, tfjs }, openPredictor };
});

/** Opens a predictor for any list of layers: wasm's, or else tfjs's, which takes seconds to sample 1,000 words. */
function openPredictor(network: Network, most: number) {
  return createWasmPredictor(network, most).catch(() =>
    createTfjsPredictor(network, most, { backend: "cpu" }),
  );
}

const script = "examples/pytorch/train.py";
const python = "/usr/bin/python3";
const isThere = spawnSync(python, ["-c", "import onnx, torch"]).status === 0;
if (!isThere)
  console.warn(`Skipped: ${python} has no torch or no onnx (Debian: python3-torch, python3-onnx).`);

const folder = mkdtempSync(join(tmpdir(), "makemore-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

/** Names with what real files have: a BOM, other line ends, spaces around words, letters of two code points. */
const text = [
  "\ufeffAnaïs",
  "\u00a0zoe\u0301 ",
  "mary ann\r",
  "",
  "\ud83d\ude00\u2028renée\v  ",
  ...readFileSync("demo/words/names.txt", "utf8").split("\n").slice(0, 300),
].join("\n");

/** A larger epsilon, so that AdamW does not make whole steps out of gradients that are only rounding error. */
const adamw = { type: "adamw", beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 } as const;

interface Case {
  readonly model: NonNullable<PlainTrainOptions["model"]>;
  readonly options?: PlainTrainOptions;
}

const cases: Readonly<Record<string, Case>> = {
  wavenet: { model: { type: "wavenet", contextLength: 4, embedding: 6, hidden: 12 } },
  mlp: {
    model: { type: "mlp", embedding: 5, hidden: 10 },
    options: { order: "random", targets: "hard", shuffle: false, split: [0.7, 0.2, 0.1] },
  },
  bigram: { model: "bigram", options: { optimizer: { type: "lion", weightDecay: 0.2 } } },
  bow: {
    model: { type: "bow", embedding: 6, hidden: 5 },
    options: { optimizer: "sgd", learningRate: 0.3, seed: "Zürich" },
  },
  rnn: { model: { type: "rnn", embedding: 6, hidden: 5 }, options: { targets: "hard" } },
  gru: { model: { type: "gru", embedding: 6, hidden: 5 } },
  lstm: { model: { type: "lstm", embedding: 6, hidden: 5 }, options: { order: "random" } },
  transformer: { model: { type: "transformer", layers: 2, heads: 2, embedding: 8 } },
  microgpt: { model: { type: "microgpt", heads: 2, embedding: 6, hidden: 10, contextLength: 20 } },
  "a list of layers": {
    model: [
      { type: "Embedding", dimensions: 6 },
      { type: "FlattenConsecutive", n: 3 },
      { type: "Linear", fanOut: 8, std: 0.3 },
      { type: "Residual", layers: [{ type: "BatchNorm1d", momentum: 0.2, epsilon: 1e-3 }, { type: "ReLU" }] },
      { type: "LayerNorm", epsilon: 1e-4 },
      { type: "Linear" },
    ],
  },
};
const names = Object.keys(cases);

/** Steps until the other side goes on from the file, and steps in all. */
const [FIRST, ALL] = [20, 40];

/** The options of a training in this package. The batch size is odd, so that the two processes have unequal parts. */
function trainOptions({ model, options }: Case): PlainTrainOptions {
  return {
    model,
    steps: FIRST,
    batchSize: 31,
    learningRate: { peak: 0.01, warmup: 5, decay: "cosine", hold: 0.3 },
    optimizer: adamw,
    order: "even",
    targets: "soft",
    teacher: "none",
    seed: 7,
    keepBest: false,
    patience: 0,
    ...options,
  };
}

/** The same options as arguments of the script. */
function scriptArguments({ model, options }: Case): string[] {
  const { steps, batchSize, learningRate, optimizer, order, targets, seed, split, shuffle } = trainOptions({
    model,
    ...(options ? { options } : {}),
  });
  const word = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  return [
    ...["--model", word(model), "--steps", word(steps), "--batch-size", word(batchSize)],
    ...["--learning-rate", word(learningRate), "--optimizer", word(optimizer)],
    ...["--order", word(order), "--targets", word(targets), "--seed", word(seed)],
    ...(split ? ["--split", word(split)] : []),
    ...(shuffle === false ? ["--no-shuffle"] : []),
  ];
}

/** The inputs for which logits are compared: windows, or words padded at their ends. */
function inputsOf({ network, vocabulary }: Checkpoint): number[][] {
  const words = ["Anaïs", "zoé", "mary ann", "emma"].map((word) => [0, ...vocabulary.encode(word)]);
  if (network.example === "word") {
    const longest = Math.max(...words.map((word) => word.length));
    return words.map((word) => [...word, ...new Array<number>(longest - word.length).fill(0)]);
  }
  const { contextLength } = network;
  return words.map((word) => [...new Array<number>(contextLength).fill(0), ...word].slice(-contextLength));
}

async function exported(session: Session): Promise<Uint8Array> {
  return settled(session.exportONNX(9, {}));
}

/** Returns the tensors of a file: its parameters and its optimiser's state. */
function tensorsOf({ parameters, optimizerState = new Map() }: Checkpoint) {
  return new Map([
    ...parameters,
    ...[...optimizerState].flatMap(([state, all]) =>
      [...all].map(([name, values]) => [`${name}.${state}`, values] as const),
    ),
  ]);
}

function expectSame(actual: Checkpoint, expected: Checkpoint, before: Checkpoint): void {
  const { network, step, recipe, words, vocabulary } = expected;
  expect(actual).toMatchObject({ step, recipe, words });
  expect(actual.vocabulary.characters).toEqual(vocabulary.characters);
  expect(actual.network.parameters).toEqual(network.parameters);
  const [theirs, start] = [tensorsOf(actual), tensorsOf(before)];
  expect([...theirs.keys()]).toEqual([...tensorsOf(expected).keys()]);
  for (const [name, values] of tensorsOf(expected)) {
    const allowed = allowedDifference(start.get(name) ?? new Float32Array(values.length), values, step);
    const difference = largestDifference(theirs.get(name) ?? [], values);
    expect(difference, name).toBeLessThanOrEqual(allowed);
  }
}

function train(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(python, [script, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe.skipIf(!isThere)("models of two PyTorch processes", () => {
  /** Files of this package: after the first steps, and after all. */
  const ours = new Map<string, { start: Checkpoint; first: Checkpoint; all: Checkpoint }>();

  beforeAll(async () => {
    writeFileSync(path("words.txt"), text);
    const jobs = [];
    for (const [name, model] of Object.entries(cases)) {
      const session = new Session();
      await settled(session.train(2, trainOptions(model), sentWords(text, true), onEvents()));
      const file = await exported(session);
      writeFileSync(path(`${name}-ours.onnx`), file);
      await settled(session.resume(3, { steps: ALL }, undefined, onEvents()));
      const first = readONNX(file);
      const parameters = initialParameters(first.network, first.recipe.seed);
      const { optimizerState: _, ...start } = { ...first, parameters };
      ours.set(name, { start, first, all: readONNX(await exported(session)) });
      const job = (output: string, args: string[]) => ({
        arguments: [path("words.txt"), ...args, "-o", path(`${name}-${output}.onnx`)],
        inputs: inputsOf(first),
        logits: path(`${name}-${output}.json`),
      });
      jobs.push(job("theirs", scriptArguments(model)));
      jobs.push(job("continued", ["--resume", path(`${name}-ours.onnx`), "--steps", `${ALL}`]));
    }
    writeFileSync(path("jobs.json"), JSON.stringify(jobs));
    const torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"];
    // Without these, PyTorch 1.13 fails in Python 3.11, because it looks up member 0 of an enum of flags.
    torchrun.push("--redirects", "1", "--tee", "1");
    const output = spawnSync(python, [...torchrun, "test/python/train_models.py", path("jobs.json")], {
      encoding: "utf8",
      timeout: 200_000,
    });
    if (output.status !== 0) throw new Error(output.stderr + output.stdout);
  }, 240_000);

  const theirs = (name: string, output = "theirs") => readFileSync(path(`${name}-${output}.onnx`));

  test.each(names)("equal this package's models after the same number of steps: %s", (name) => {
    const { start, first } = ours.get(name) ?? expect.unreachable();
    expectSame(readONNX(theirs(name)), first, start);
  });

  test.each(names)("can go on from a file of this package: %s", (name) => {
    const { start, all } = ours.get(name) ?? expect.unreachable();
    expectSame(readONNX(theirs(name, "continued")), all, start);
  });

  test.each(names)("can be resumed in this package: %s", async (name) => {
    const { start, all } = ours.get(name) ?? expect.unreachable();
    const session = new Session();
    await settled(session.load(1, theirs(name), {}, undefined));
    await settled(session.resume(2, { steps: ALL }, sentWords(text, true), onEvents()));
    expectSame(readONNX(await exported(session)), all, start);
  });

  test.each(names)("give PyTorch's logits in this package and in ONNX Runtime: %s", async (name) => {
    for (const output of ["theirs", "continued"]) {
      const file = theirs(name, output);
      const checkpoint = readONNX(file);
      const inputs = inputsOf(checkpoint);
      const expected: number[] = JSON.parse(readFileSync(path(`${name}-${output}.json`), "utf8"));
      const { example, vocabularySize } = checkpoint.network;
      const input = example === "word" ? "tokens" : "context";
      const { values } = await runFile(file, { [input]: int32(inputs) });
      expect(largestDifference(values, expected)).toBeLessThan(1e-5);
      // Logits of padding are arbitrary.
      const real = inputs.flatMap((row) =>
        example === "word" ? row.map((token, t) => t === 0 || token > 0) : true,
      );
      const places = (logits: ArrayLike<number>) =>
        Array.from(logits).filter((_, i) => real[Math.floor(i / vocabularySize)]);
      const predictor = await openPredictor(checkpoint.network, inputs.length);
      predictor.load(checkpoint.parameters);
      const answers = await predictor.predict(Uint32Array.from(inputs.flat()), inputs[0]?.length ?? 0);
      expect(largestDifference(places(answers), places(expected))).toBeLessThan(1e-5);
      predictor.dispose();
    }
  });

  test("the command trains in one process, prints the losses, and refuses other words", () => {
    const trained = train(path("words.txt"), "--model", "bigram", "--steps", "3", "-o", path("model.onnx"));
    expect(trained.stderr).toBe("");
    expect(trained.stdout).toMatch(
      /step 3\/3 {2}loss [\d.]+ .*\ntrain loss [\d.]+\nvalidation loss [\d.]+\nwrote /,
    );
    writeFileSync(path("others.txt"), `${text}\nemma`);
    const refused = train(path("others.txt"), "--resume", path("model.onnx"), "--steps", "6");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^train\.py: .*others\.txt has other words than the training/);
  });
});

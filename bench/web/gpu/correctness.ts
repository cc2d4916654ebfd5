/**
 * Checks the engine's results on this GPU against PyTorch's runs, a float64 reference at odd sizes, and the wasm
 * engine at large sizes. Also checks that the chunk size does not change a single bit.
 */

import { someRates, someSetup } from "../../../test/engineSetups";
import { allowedDifference, largestDifference, pytorchRun } from "../../../test/pytorch";
import { Reference } from "../../../test/reference";
import { prepareExamples } from "../../../worker/data/examples";
import type { EngineSetup } from "../../../worker/engines/engine";
import { createWasmEngine } from "../../../worker/engines/wasm";
import { createWebGPUEngine as createEngine } from "../../../worker/engines/webgpu";
import { architecture } from "../../../worker/model/architectures";
import { buildNetwork } from "../../../worker/model/network";
import { ownShape } from "./engine";
import { adamw, type Size, setUp, sgd } from "./models";

/** Result of a check; `wrong` names each wrong tensor, with its difference and the tolerance. */
interface Check {
  readonly loss: number;
  readonly wrong: readonly string[];
}

const MOST_LOSS = 1e-5;

/** AdamW with a large epsilon: a small one turns a rounding error's sign into a whole step, so engines disagree. */
const smoothAdamw = { ...adamw, epsilon: 1e-3 };

async function createWebGPUEngine(setup: EngineSetup) {
  return createEngine(setup, { shape: await ownShape() });
}

type Values = ReadonlyMap<string, ArrayLike<number>>;

function compare(
  losses: readonly [ArrayLike<number>, ArrayLike<number>],
  actual: Values,
  expected: Values,
  before: Values,
  steps: number,
): Check {
  const loss = largestDifference(...losses);
  const wrong = loss < MOST_LOSS ? [] : [`loss: ${loss}, allowed ${MOST_LOSS}`];
  for (const [name, values] of expected) {
    const difference = largestDifference(actual.get(name) ?? [], values);
    const allowed = 1e-10 + allowedDifference(before.get(name) ?? [], values, steps);
    if (!(difference <= allowed)) wrong.push(`${name}: ${difference}, allowed ${allowed}`);
  }
  return { loss, wrong };
}

async function againstPyTorch(name: "mlp" | "wavenet"): Promise<Check> {
  const run = pytorchRun(name);
  const { network, parameters, stream, batchSize, learningRates, positions } = run;
  const engine = await createWebGPUEngine({
    network,
    parameters,
    stream,
    batchSize,
    optimizer: sgd,
    seed: 0,
  });
  const losses = await engine.run(0, learningRates, positions);
  const state = await engine.read();
  engine.dispose();
  const expected = new Map([...run.after, ...run.running]);
  return compare([losses, run.losses], state.parameters, expected, parameters, losses.length);
}

async function againstFloat64(setup: EngineSetup): Promise<Check> {
  const rates = someRates(4, setup.optimizer.type === "sgd" ? 0.1 : 0.002);
  const reference = new Reference(setup);
  const expected = reference.run(0, rates);
  const engine = await createWebGPUEngine(setup);
  const losses = await engine.run(0, rates);
  const state = await engine.read();
  engine.dispose();
  return compare([losses, expected], state.parameters, reference.parameters, setup.parameters, rates.length);
}

async function againstWasm(size: Omit<Size, "name">): Promise<Check> {
  const setup = await setUp(size);
  const rates = someRates(3, 0.002);
  const losses: Float32Array[] = [];
  for (const create of [createWebGPUEngine, createWasmEngine]) {
    const engine = await create(setup);
    losses.push(await engine.run(0, rates));
    engine.dispose();
  }
  const [webgpu = [], wasm = []] = losses;
  return compare([webgpu, wasm], new Map(), new Map(), new Map(), 0);
}

async function sameBits(): Promise<Check> {
  const setup = await setUp({ model: "wavenet", batchSize: 64, optimizer: adamw });
  const rates = someRates(80, 0.002);
  const runs: { losses: number[]; parameters: Values }[] = [];
  for (const chunks of [[80], [37, 43]]) {
    const engine = await createWebGPUEngine(setup);
    const losses: number[] = [];
    for (const count of chunks)
      losses.push(...(await engine.run(losses.length, rates.subarray(losses.length, losses.length + count))));
    const { parameters } = await engine.read();
    engine.dispose();
    runs.push({ losses, parameters });
  }
  const [a, b] = runs;
  if (!a || !b) throw new Error("There are not two runs to compare.");
  const loss = largestDifference(a.losses, b.losses);
  const wrong = loss === 0 ? [] : [`loss: ${loss}, allowed 0`];
  for (const [name, values] of a.parameters) {
    const difference = largestDifference(b.parameters.get(name) ?? [], values);
    if (difference !== 0) wrong.push(`${name}: ${difference}, allowed 0`);
  }
  return { loss, wrong };
}

const wavenet = (contextLength: number, embedding: number, hidden: number, folds?: number[]) =>
  architecture({ contextLength, embedding, hidden, ...(folds ? { folds } : {}) });
const odd = (
  specs: ReturnType<typeof architecture>,
  vocabulary: number,
  batchSize: number,
  optimizer: EngineSetup["optimizer"] = smoothAdamw,
) => someSetup(buildNetwork(specs, vocabulary), { batchSize, optimizer });

/** Returns the setup with soft targets in even order, and with the teacher. */
function softly(setup: EngineSetup): EngineSetup {
  const { stream, network } = setup;
  const choice = { order: "even", targets: "soft", teacher: "ngram", steps: 10 } as const;
  const examples = prepareExamples(stream, network, choice);
  return examples ? { ...setup, examples } : setup;
}

/** Checks by name; each returns the largest difference of a loss, and the wrong tensors. */
const checks: Readonly<Record<string, () => Promise<Check>>> = {
  "PyTorch, mlp": () => againstPyTorch("mlp"),
  "PyTorch, wavenet": () => againstPyTorch("wavenet"),
  "float64: folds 3 and 4, batch 7, SGD": () =>
    againstFloat64(odd(wavenet(12, 3, 5, [3, 4]), 2, 7, { type: "sgd" })),
  "float64: folds 2 and 7": () => againstFloat64(odd(wavenet(14, 3, 5, [2, 7]), 3, 9)),
  "float64: 300 ids, hidden 200": () => againstFloat64(odd(wavenet(4, 70, 200, [4]), 300, 7)),
  "float64: hidden 68, batch 100": () => againstFloat64(odd(wavenet(8, 10, 68), 28, 100)),
  "float64: batch 1100, hidden 12": () => againstFloat64(odd(wavenet(8, 6, 12), 5, 1100)),
  "float64: the default model, batch 64": () => againstFloat64(odd(wavenet(8, 24, 128), 27, 64)),
  "float64: soft targets in even order, batch 128": () =>
    againstFloat64(softly(odd(wavenet(8, 10, 24), 28, 128))),
  "wasm: hidden 512, batch 256": () =>
    againstWasm({ model: { hidden: 512, embedding: 48 }, batchSize: 256, optimizer: smoothAdamw }),
  "wasm: hidden 1024, batch 256": () =>
    againstWasm({ model: { hidden: 1024, embedding: 64 }, batchSize: 256, optimizer: smoothAdamw }),
  "the same bits in other chunks": sameBits,
};

/** Runs all checks; calls `say` with a line per check. */
export async function correctness(say: (line: string) => void): Promise<Record<string, Check>> {
  const results: Record<string, Check> = {};
  for (const [name, check] of Object.entries(checks)) {
    const result = await check();
    results[name] = result;
    say(
      `${result.wrong.length === 0 ? "right" : "WRONG"}: ${name} (loss ${result.loss.toExponential(1)}) ${result.wrong.join("; ")}`,
    );
  }
  return results;
}

/** `diagnostics`: compares its numbers with PyTorch's and tfjs's, and checks that it does not change a training. */
import { afterEach, expect, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import type { Diagnostics, Distribution, LayerSpec, ModelChoice, Progress } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import { type Engine, EngineLost, type EngineSetup } from "../../worker/engines/engine";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { openBackend, tf } from "../../worker/engines/tfjs/backend";
import { createWasmEngine } from "../../worker/engines/wasm";
import { architecture } from "../../worker/model/architectures";
import type { InnerLayer, Parameters } from "../../worker/model/layer";
import * as layerKinds from "../../worker/model/layers/list";
import { buildNetwork, initialParameters, type Network } from "../../worker/model/network";
import { checkTrainOptions } from "../../worker/options";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { diagnose } from "../../worker/training/diagnostics/diagnose";
import { Diagnoser } from "../../worker/training/diagnostics/diagnoser";
import { type DiagnosedExamples, exampleDrawer } from "../../worker/training/diagnostics/examples";
import { Training } from "../../worker/training/training";
import { families, familyRun } from "../families";
import pytorch from "../fixtures/pytorch-diagnostics.json";
import wavenet from "../fixtures/pytorch-wavenet.json";
import { pytorchRun } from "../pytorch";

afterEach(() => vi.restoreAllMocks());

/**
 * Compares two distributions of the same numbers, which were computed in float32 in different orders of addition. A
 * thousandth of the numbers may be in the next bin: a bin is a 50th of the range, and the rounding errors are about a
 * millionth of it.
 */
function expectSame(found: Distribution, expected: Distribution, what: string): void {
  const close = 2e-5 * Math.max(Math.abs(expected.min), Math.abs(expected.max));
  for (const key of ["mean", "std", "min", "max"] as const)
    expect(Math.abs(found[key] - expected[key]), `${what}: ${key}`).toBeLessThanOrEqual(close);
  const count = expected.histogram.reduce((a, b) => a + b, 0);
  expect(
    found.histogram.reduce((a, b) => a + b, 0),
    what,
  ).toBe(count);
  const moved =
    found.histogram.reduce((sum, n, i) => sum + Math.abs(n - (expected.histogram[i] ?? 0)), 0) / 2;
  expect(found.histogram, what).toHaveLength(expected.histogram.length);
  expect(moved, `${what}: histogram`).toBeLessThanOrEqual(1 + count / 1000);
}

/** Returns PyTorch's name for one of our names of the WaveNet's parameters. */
function pytorchName(parameter: string, network: Network): string {
  const [layer = "", part = ""] = parameter.split(".");
  if (layer === "embedding") return "embedding";
  if (layer === network.layers.at(-1)?.name) return `out.${part}`;
  return `block${Number(layer.at(-1)) - 1}.${part}`;
}

test.each(["sgd", "adamw"] as const)("has PyTorch's numbers for the WaveNet with %s", async (name) => {
  const run = pytorchRun("wavenet");
  const { network, stream, batchSize, positions } = run;
  const { betas, eps: epsilon, weight_decay: weightDecay, lr } = pytorch.adamw;
  const [beta1 = 0, beta2 = 0] = betas;
  const engine = await createWasmEngine({
    ...run,
    seed: 0,
    optimizer: name === "sgd" ? { type: "sgd" } : { type: "adamw", beta1, beta2, epsilon, weightDecay },
  });
  const rates = name === "sgd" ? run.learningRates : new Float32Array(run.learningRates.length).fill(lr);
  expect(stream.length).toBeGreaterThan(0);
  let before = run.parameters;
  for (const [step, expected] of pytorch.runs[name].entries()) {
    const batch = wavenet.batches[step] ?? expect.fail("The fixture is too short.");
    await engine.run(
      step,
      rates.subarray(step, step + 1),
      positions.slice(step * batchSize, (step + 1) * batchSize),
    );
    const after = (await engine.read()).parameters;
    const targets = new Float32Array(batchSize * network.vocabularySize);
    for (const [row, token] of batch.targets.entries()) targets[row * network.vocabularySize + token] = 1;
    const tokens = Int32Array.from(batch.contexts.flat());
    const examples = [{ tokens, positions: network.contextLength, targets }];
    const found = diagnose(network, { step, examples, before, after });
    expect(found.step).toBe(step);
    const layers: Record<
      string,
      { activations: Distribution; gradients: Distribution; saturation?: number }
    > = expected.layers;
    expect(found.layers.map(({ layer }) => layer)).toEqual(Object.keys(layers));
    for (const { layer, activations, gradients, saturation } of found.layers) {
      const theirs = layers[layer] ?? expect.fail(`PyTorch has no ${layer}.`);
      expectSame(activations, theirs.activations, `${layer}'s activations`);
      expectSame(gradients, theirs.gradients, `${layer}'s gradients`);
      // Tolerance: one of at least 2,176 numbers may be rounded across the threshold.
      if (theirs.saturation === undefined) expect(saturation, layer).toBeUndefined();
      else expect(Math.abs((saturation ?? 1) - theirs.saturation), layer).toBeLessThan(1 / 2176 + 1e-6);
    }
    const ratios: Record<string, number> = expected.parameters;
    expect(found.parameters.map(({ parameter }) => parameter)).toEqual(
      network.parameters.filter(({ trainable }) => trainable).map(({ name }) => name),
    );
    for (const { parameter, updateToData } of found.parameters) {
      const theirs = ratios[pytorchName(parameter, network)];
      // A new bias or gamma has no spread.
      if (theirs === undefined) expect(updateToData, parameter).toBeUndefined();
      // An update of a thousandth is known to about a ten-thousandth, because the values are rounded to float32.
      else expect(Math.abs((updateToData ?? 0) - theirs), parameter).toBeLessThan(1e-3);
    }
    before = after;
  }
  engine.dispose();
});

/** Computes the same numbers with tfjs's automatic differentiation of our layers. */
function byTfjs(network: Network, examples: readonly DiagnosedExamples[], parameters: Parameters) {
  const outputs = new Map<string, { values: number[]; gradients: number[]; tanhs: number[] }>();
  const flat = (layers: readonly InnerLayer[]): InnerLayer[] =>
    layers.flatMap((layer) => [...flat(layer.layers ?? []), layer]);
  const all = flat(network.layers);
  const predictions = examples.reduce((sum, { targets }) => sum + targets.length / network.vocabularySize, 0);
  const chained = tf.Tensor.prototype.tanh;
  for (const { tokens, positions, targets } of examples)
    tf.tidy(() => {
      const values = new Map(
        network.parameters.map(({ name, shape }) => [
          name,
          tf.tensor(parameters.get(name) ?? expect.fail(name), [...shape]),
        ]),
      );
      const shapes = new Map<string, number[]>();
      /** The loss, with a number of zeros added to the output of each layer. */
      const loss = (zeros: readonly tf.Tensor[]): tf.Scalar => {
        let tanhs: number[] = [];
        vi.spyOn(tf.Tensor.prototype, "tanh").mockImplementation(function (this: tf.Tensor) {
          const y = chained.call(this);
          tanhs.push(...y.dataSync());
          return y as never;
        });
        const forward = (layer: InnerLayer, x: tf.Tensor): tf.Tensor => {
          tanhs = [];
          const y = layer.layers
            ? x.add(layer.layers.reduce((inner, next) => forward(next, inner), x))
            : layer.forward(x, {
                tf,
                training: true,
                value: (name) => values.get(name) ?? expect.fail(name),
                update: () => {},
              });
          shapes.set(layer.name, y.shape);
          if (zeros.length === 0) {
            const kept = outputs.get(layer.name) ?? { values: [], gradients: [], tanhs: [] };
            kept.values.push(...y.dataSync());
            kept.tanhs.push(...tanhs);
            outputs.set(layer.name, kept);
            return y;
          }
          return y.add(zeros[all.indexOf(layer)] ?? expect.fail(layer.name));
        };
        let x: tf.Tensor = tf.tensor2d(tokens, [tokens.length / positions, positions], "int32");
        for (const layer of network.layers) x = forward(layer, x);
        vi.restoreAllMocks();
        const expected = tf.tensor(targets, x.shape);
        return x.logSoftmax().mul(expected).sum().div(-predictions).asScalar();
      };
      loss([]);
      const zeros = all.map(({ name }) => tf.zeros(shapes.get(name) ?? []));
      const gradients = tf.grads((...tensors: tf.Tensor[]) => loss(tensors))(zeros);
      for (const [i, { name }] of all.entries())
        outputs.get(name)?.gradients.push(...(gradients[i]?.dataSync() ?? []));
    });
  return outputs;
}

function distribution(values: readonly number[]): Distribution {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
  const min = values.reduce((a, b) => Math.min(a, b));
  const max = values.reduce((a, b) => Math.max(a, b));
  const histogram = new Array<number>(50).fill(0);
  for (const x of values) {
    const bin = max > min ? Math.min(49, Math.floor(((x - min) / (max - min)) * 50)) : 0;
    histogram[bin] = (histogram[bin] ?? 0) + 1;
  }
  return { mean, std, min, max, histogram };
}

/** Networks that together have every kind of layer, each with a stream of words. */
const networks: [string, Pick<EngineSetup, "network" | "stream" | "parameters">][] = [
  ["wavenet", pytorchRun("wavenet")],
  [
    "windows with other layers",
    (() => {
      const specs: LayerSpec[] = [
        { type: "Embedding", dimensions: 6 },
        {
          type: "Residual",
          layers: [{ type: "LayerNorm" }, { type: "Linear", fanOut: 6 }, { type: "ReLU" }],
        },
        { type: "FlattenConsecutive", n: 4 },
        { type: "Linear", fanOut: 9 },
        { type: "GELU" },
        { type: "RMSNorm" },
        { type: "Linear" },
      ];
      const network = buildNetwork(specs, 27);
      return { network, stream: pytorchRun("wavenet").stream, parameters: initialParameters(network, 5) };
    })(),
  ],
  ...families.map((family): (typeof networks)[number] => [family, familyRun(family)]),
];

test("the networks below have every kind of layer", () => {
  const types = networks.flatMap(([, { network }]) =>
    network.layers.flatMap(({ spec, layers = [] }) => [spec.type, ...layers.map((inner) => inner.spec.type)]),
  );
  expect([...new Set(types)].sort()).toEqual(Object.keys(layerKinds).sort());
});

test.each(networks)("has tfjs's numbers for every layer: %s", async (_, { network, stream, parameters }) => {
  await openBackend("cpu");
  // Larger weights than those of a new model, so that some tanhs are saturated.
  const larger = new Map([...parameters].map(([name, values]) => [name, values.map((x) => 2 * x)]));
  const examples = exampleDrawer({ network, stream, seed: 3, batchSize: 12 })(0);
  const found = diagnose(network, { step: 0, examples, before: larger, after: larger });
  const theirs = byTfjs(network, examples, larger);
  const reshaped = network.layers.filter(({ spec }) => spec.type === "FlattenConsecutive");
  expect(found.layers.map(({ layer }) => layer).sort()).toEqual(
    [...theirs.keys()].filter((name) => !reshaped.some((layer) => layer.name === name)).sort(),
  );
  for (const { layer, type, activations, gradients, saturation } of found.layers) {
    const expected = theirs.get(layer) ?? expect.fail(layer);
    expectSame(activations, distribution(expected.values), `${layer}'s activations`);
    expectSame(gradients, distribution(expected.gradients), `${layer}'s gradients`);
    const { tanhs } = expected;
    if (tanhs.length === 0 || type === "GELU") expect(saturation, layer).toBeUndefined();
    else {
      const share = tanhs.filter((x) => Math.abs(x) > 0.97).length / tanhs.length;
      expect(share, layer).toBeGreaterThan(0);
      expect(saturation, layer).toBeCloseTo(share, 9);
    }
  }
  // No parameter was updated.
  expect(found.parameters.every(({ updateToData }) => updateToData === undefined)).toBe(true);
});

test("words are grouped by length, so that no padding counts, and a long context takes fewer examples", () => {
  const words = ["ab", "b", "ba", "a"];
  const stream = Uint8Array.from([0, 1, 2, 0, 2, 0, 2, 1, 0, 1, 0]);
  const network = buildNetwork(architecture({ type: "gru", embedding: 2, hidden: 3 }), 3);
  const groups = exampleDrawer({ network, stream, seed: 1, batchSize: 40 })(0);
  expect(groups.map(({ positions }) => positions).sort()).toEqual([2, 3]);
  let count = 0;
  for (const { tokens, positions, targets } of groups)
    for (let row = 0; row < tokens.length / positions; row++, count++) {
      const letters = (ids: ArrayLike<number>) => Array.from(ids, (id) => ".ab"[id]).join("");
      const read = letters(tokens.subarray(row * positions, (row + 1) * positions));
      const predicted = Array.from({ length: positions }, (_, place) =>
        targets.subarray((row * positions + place) * 3, (row * positions + place + 1) * 3).indexOf(1),
      );
      expect(read[0]).toBe(".");
      expect(words).toContain(read.slice(1));
      expect(letters(predicted)).toBe(`${read.slice(1)}.`);
    }
  expect(count).toBe(32);
  const wide = buildNetwork(architecture({ contextLength: 256, embedding: 64, hidden: 2048 }), 27);
  const [few] = exampleDrawer({ network: wide, stream, seed: 1, batchSize: 32 })(0);
  // Each example has about 2 million activations, and the limit is 4 million.
  expect(few?.tokens).toHaveLength(2 * 256);
});

const dataset = buildDataset(
  "emma\nolivia\nava\nisabella\nsophia\nmia\nzoe",
  checkTrainOptions({ split: [1, 0, 0] })(),
);

/** Runs a training of 60 steps, and returns its results. */
async function train(
  model: ModelChoice,
  open: (setup: EngineSetup) => Promise<Engine>,
  steps: true | { every: number } | undefined,
  from?: Checkpoint,
) {
  const { model: _, ...recipe } = checkTrainOptions({ model, steps: 60, batchSize: 4 })();
  const network = buildNetwork(architecture(model, 9), dataset.vocabulary.size);
  const start: Checkpoint = from ?? {
    vocabulary: dataset.vocabulary,
    network,
    parameters: initialParameters(network, 42),
    step: 0,
    recipe,
  };
  const setupFrom = ({ parameters, optimizerState }: Checkpoint): EngineSetup => {
    const { optimizer, batchSize } = recipe;
    const state = optimizerState ? { optimizerState } : {};
    return { network, parameters, ...state, optimizer, batchSize, stream: dataset.train, seed: 7 };
  };
  const diagnoser = steps && new Diagnoser({ steps, from: start.step, of: 60, setup: setupFrom(start) });
  const progress: Progress[] = [];
  const training = new Training(start, dataset, {
    evalEvery: 0,
    sampleEvery: 0,
    diagnoser,
    notices: [],
    openEngine: (at) => createWasmEngine(setupFrom(at)),
    evaluate: () => expect.fail("No evaluation is due."),
    sample: () => expect.fail("No sample is due."),
    onProgress: (p) => progress.push(p),
    others: () => undefined,
  });
  await training.run(await open(setupFrom(start)));
  const diagnostics = progress.flatMap((p) => p.diagnostics ?? []);
  return { losses: training.losses, checkpoint: training.checkpoint, diagnostics, progress };
}

const stepsOf = (diagnostics: readonly Diagnostics[]) => diagnostics.map(({ step }) => step);

test.each([
  ["wasm", { contextLength: 4, embedding: 4, hidden: 8 }],
  ["wasm", "gru"],
  ["wasm", "microgpt"],
  ["tfjs", { contextLength: 4, embedding: 4, hidden: 8 }],
  ["tfjs", "rnn"],
] as const)("a training is the same to the bit with and without it: %s, %j", async (backend, model) => {
  const open = (setup: EngineSetup) =>
    backend === "wasm" ? createWasmEngine(setup) : createTfjsEngine(setup, { backend: "cpu" });
  const without = await train(model, open, undefined);
  const every = await train(model, open, { every: 7 });
  expect(stepsOf(every.diagnostics)).toEqual([0, 7, 14, 21, 28, 35, 42, 49, 56]);
  expect(without.progress.every((p) => p.diagnostics === undefined)).toBe(true);
  const some = await train(model, open, true);
  expect(stepsOf(some.diagnostics)[0]).toBe(0);
  for (const run of [every, some]) {
    expect(run.losses).toEqual(without.losses);
    expect(run.checkpoint.parameters).toEqual(without.checkpoint.parameters);
    expect(run.checkpoint.optimizerState).toEqual(without.checkpoint.optimizerState);
  }
  // A step has the same numbers, whichever steps were examined before.
  for (const one of some.diagnostics)
    for (const other of every.diagnostics) if (other.step === one.step) expect(one).toEqual(other);
  for (const { parameters } of every.diagnostics)
    for (const { parameter, updateToData } of parameters)
      if (!parameter.endsWith("bias") && !parameter.endsWith("start"))
        expect(updateToData ?? -3, parameter).toBeGreaterThan(-6);
});

test("a training that loses its engine reports no step twice, and a resumed one goes on with the multiples", async () => {
  let lost = false;
  const flaky = async (setup: EngineSetup): Promise<Engine> => {
    const engine = await createWasmEngine(setup);
    return {
      backend: engine.backend,
      device: engine.device,
      read: () => engine.read(),
      write: (state) => engine.write(state),
      dispose: () => engine.dispose(),
      run: (first, rates) => {
        if (first >= 25 && !lost) {
          lost = true;
          throw new EngineLost("it went away");
        }
        return engine.run(first, rates);
      },
    };
  };
  const { diagnostics, checkpoint } = await train("bigram", flaky, { every: 10 });
  expect(lost).toBe(true);
  expect(stepsOf(diagnostics)).toEqual([0, 10, 20, 30, 40, 50]);
  const rest = await train("bigram", createWasmEngine, { every: 10 }, { ...checkpoint, step: 33 });
  expect(stepsOf(rest.diagnostics)).toEqual([40, 50]);
});

test("diagnostics: true takes the first step, and then evenly spread ones, in at most a twentieth of the time", () => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const { network, stream, parameters } = familyRun("bigram");
  const setup: EngineSetup = {
    network,
    parameters,
    stream,
    seed: 1,
    batchSize: 4,
    optimizer: { type: "sgd" },
  };
  const run = (msPerStep: number, msPerLook: number) => {
    const diagnoser = new Diagnoser({ steps: true, from: 0, of: 1000, setup });
    const taken: number[] = [];
    for (let step = 0; step < 1000; step++) {
      expect(diagnoser.next(step)).toBeGreaterThanOrEqual(step);
      if (diagnoser.begins(step)) {
        now += msPerLook;
        diagnoser.add(step, parameters, parameters, msPerLook);
        taken.push(step);
      }
      now += msPerStep;
    }
    expect(stepsOf(diagnoser.take())).toEqual(taken);
    expect(diagnoser.take()).toEqual([]);
    return taken;
  };
  // Each takes half a step: all 50, every 20 steps.
  expect(run(1, 0.5)).toEqual(Array.from({ length: 50 }, (_, i) => 20 * i));
  // Each takes as long as 6 steps: 8 of them would be a twentieth of 1,000 steps.
  const some = run(1, 6);
  expect(some.length).toBeGreaterThanOrEqual(6);
  expect(some.length).toBeLessThanOrEqual(8);
  for (const [i, step] of some.entries())
    if (i > 0) expect(Math.abs(step - (some[i - 1] ?? 0) - 150)).toBeLessThanOrEqual(100);
  // One already takes more than a twentieth.
  expect(run(0.01, 20)).toEqual([0]);
});

test.each([
  [{ diagnostics: 5 }, "diagnostics is 5; it must be true, false or { every: a number of steps }."],
  [{ diagnostics: { every: 0 } }, "diagnostics.every is 0; it must be a whole number from 1 to 10000000."],
  [{ diagnostics: {} }, "diagnostics.every is missing."],
  [{ diagnostics: { each: 3, every: 3 } }, 'there is no option "diagnostics.each".'],
])("a wrong option is refused: %j", (options, message) => {
  expect(() => checkTrainOptions(options as never)).toThrow(
    new MakemoreError("INVALID_OPTION", `train: ${message}`),
  );
});

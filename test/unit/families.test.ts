/** The families that read words: PyTorch's layers, and makemore's defaults. */
import { expect, test } from "vitest";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { tf } from "../../worker/engines/tfjs/backend";
import { architecture, exampleOfChoice } from "../../worker/model/architectures";
import * as architectures from "../../worker/model/architectures/list";
import type { LayerSpec } from "../../worker/model/layers";
import { checkTrainable } from "../../worker/model/limits";
import { buildNetwork, initialParameters, parameterCount } from "../../worker/model/network";
import { checkTrainOptions } from "../../worker/options";
import { families, familyRun, testFamilies, tfjsLogits } from "../families";
import { makemoreError } from "../makemoreError";

const cpu = { backend: "cpu" } as const;
testFamilies((setup) => createTfjsEngine(setup, cpu), "tfjs", tfjsLogits(cpu));

test("no tensors pile up from step to step, and none is left after dispose", async () => {
  const run = familyRun("transformer");
  const before = tf.memory().numTensors;
  const engine = await createTfjsEngine({ ...run, optimizer: { type: "sgd" }, seed: 1 }, { backend: "cpu" });
  await engine.run(0, run.learningRates.subarray(0, 3));
  expect(tf.memory().numTensors).toBe(before + run.network.parameters.length);
  engine.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

// Counts for 27 ids and context 16, as printed by makemore.py, microGPT or test/fixtures/torch_families.py.
test.each([
  ["bigram", 729],
  ["bow", 12_827],
  ["rnn", 11_803],
  ["gru", 28_315],
  ["lstm", 36_571],
  ["transformer", 204_544],
  ["microgpt", 4192],
] as const)("the default %s has %d parameters", (family, count) => {
  const network = buildNetwork(architecture(family), 27);
  expect(parameterCount(network.parameters)).toBe(count);
  expect(network).toMatchObject({ example: "word", chain: undefined });
});

test("an architecture states what an example is, and its layers agree", () => {
  for (const [name, { example }] of Object.entries(architectures)) {
    const choice = { type: name } as Parameters<typeof exampleOfChoice>[0];
    expect(exampleOfChoice(choice), name).toBe(example);
    expect(buildNetwork(architecture(choice), 27).example, name).toBe(example);
  }
});

test.each(families)("initial values have PyTorch's spread: %s", (family) => {
  const { network, parameters } = familyRun(family);
  const deviation = (values: Float32Array) =>
    Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  const drawn = initialParameters(network, 3);
  for (const [name, theirs] of parameters) {
    const ours = drawn.get(name) ?? new Float32Array();
    // Constants must be equal. Otherwise: the standard error of the spread of n normal numbers is 1 / sqrt(2 n), and
    // that of a difference of two spreads is sqrt(2) times as large.
    const tolerance = theirs.every((x) => x === theirs[0])
      ? 1e-7
      : (4 / Math.sqrt(theirs.length)) * deviation(theirs);
    expect(Math.abs(deviation(ours) - deviation(theirs)), name).toBeLessThanOrEqual(tolerance);
  }
});

test("a list of layers can be a decoder, and the numbering of names goes on inside a Residual", () => {
  const specs: LayerSpec[] = [
    { type: "Embedding", dimensions: 8 },
    { type: "Linear", fanOut: 8 },
    {
      type: "Residual",
      layers: [{ type: "RMSNorm" }, { type: "GRU", hidden: 6 }, { type: "Linear", fanOut: 8 }],
    },
    { type: "Residual", layers: [{ type: "Residual", layers: [{ type: "Linear", fanOut: 8 }] }] },
    { type: "Linear" },
  ];
  const network = buildNetwork(specs, 11);
  expect(network).toMatchObject({ example: "word", contextLength: 256 });
  expect(network.parameters.map(({ name }) => name)).toEqual([
    "embedding.weight",
    "linear1.weight",
    "linear1.bias",
    "gru1.start",
    "gru1.update.weight",
    "gru1.update.bias",
    "gru1.reset.weight",
    "gru1.reset.bias",
    "gru1.candidate.weight",
    "gru1.candidate.bias",
    "linear2.weight",
    "linear2.bias",
    "linear3.weight",
    "linear3.bias",
    "linear4.weight",
    "linear4.bias",
  ]);
  // A file contains the specs with the defaults that the layers filled in.
  const again = buildNetwork(JSON.parse(JSON.stringify(network.layers.map(({ spec }) => spec))), 11);
  expect(again.parameters).toEqual(network.parameters);
});

test.each<[LayerSpec[], RegExp]>([
  [
    [{ type: "Embedding", dimensions: 6 }, { type: "CausalSelfAttention", heads: 4 }, { type: "Linear" }],
    /causalSelfAttention1 has 4 heads for 6 channels; heads must divide the channels/,
  ],
  [
    [
      { type: "Embedding", dimensions: 6 },
      { type: "CausalMean" },
      { type: "BatchNorm1d" },
      { type: "Linear" },
    ],
    /batchNorm1d1 cannot be in a model that reads words: its statistics/,
  ],
  [
    [
      { type: "Embedding", dimensions: 6 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "RNN", hidden: 4 },
      { type: "Linear" },
    ],
    /flattenConsecutive1 cannot be in a model that reads words/,
  ],
  [
    [
      { type: "Embedding", dimensions: 6 },
      { type: "Residual", layers: [{ type: "RNN", hidden: 4 }] },
      { type: "Linear" },
    ],
    /residual1 adds its input, \[256, 6\], to \[256, 4\]/,
  ],
  [[{ type: "GRU", hidden: 4 }, { type: "Linear" }], /gru1 takes \[positions, channels\].*Embedding first/],
  [
    [
      { type: "Embedding", dimensions: 6 },
      { type: "LSTM", hidden: 4 },
    ],
    /lstm1, gives \[256, 4\], but the logits are \[256, 27\]/,
  ],
])("a decoder whose layers do not fit is refused, and the error names the layer", (specs, message) => {
  expect(() => buildNetwork(specs, 27)).toThrow(makemoreError("INVALID_MODEL", message));
});

test.each([
  [{ model: { type: "bigram", hidden: 3 } }, 'train: there is no option "model.hidden".'],
  [{ model: { type: "gru", heads: 3 } }, 'train: there is no option "model.heads".'],
  [{ model: { type: "bow", layers: 3 } }, 'train: there is no option "model.layers".'],
  [
    { model: { type: "transformer", hidden: 20_000 } },
    "train: model.hidden is 20000; it must be a whole number from 1 to 16384.",
  ],
  [
    { model: { type: "transformer", heads: 0 } },
    "train: model.heads is 0; it must be a whole number from 1 to 1024.",
  ],
  [
    { model: [{ type: "Residual", layers: [{ type: "GRU", hidden: 0 }] }] },
    "train: model.0.layers.0.hidden is 0; it must be a whole number from 1 to 4096.",
  ],
  [
    { model: [{ type: "Residual", layers: [] }] },
    "train: model.0.layers is []; it must be a list with at least one layer.",
  ],
  [
    { model: [{ type: "Embedding", dimensions: "many" }] },
    'train: model.0.dimensions is "many"; it must be a whole number from 1 to 4096, or "vocabulary".',
  ],
  [
    { model: "gru", targets: "hard", teacher: "ngram" },
    'train: targets is "hard"; it must be "soft", because teacher is "ngram".',
  ],
])("train options %j are refused", (options, message) => {
  expect(() => checkTrainOptions(options as never)).toThrow(makemoreError("INVALID_OPTION", message));
});

test("a minibatch has 32 words by default; only the Transformer has a teacher, if that needs little memory", () => {
  expect(checkTrainOptions({ model: "gru" })(1e6)).toMatchObject({ batchSize: 32, teacher: "none" });
  expect(checkTrainOptions({ model: "gru", teacher: "ngram" })(1e6)).toMatchObject({ teacher: "ngram" });
  const transformer = checkTrainOptions({ model: { type: "transformer", layers: 1 } });
  expect(transformer(2e5, 27)).toMatchObject({ batchSize: 32, teacher: "ngram" });
  expect(transformer(2e5, 1000)).toMatchObject({ teacher: "none" });
  expect(transformer(1e7, 27)).toMatchObject({ teacher: "none" });
  expect(checkTrainOptions({ model: "transformer", targets: "hard" })(2e5, 27)).toMatchObject({
    targets: "hard",
    teacher: "none",
  });
  expect(checkTrainOptions({ model: "transformer", teacher: "none" })(2e5, 27)).toMatchObject({
    teacher: "none",
  });
  expect(
    checkTrainOptions({ model: [{ type: "Embedding", dimensions: "vocabulary", reads: "word" }] })(),
  ).toMatchObject({
    batchSize: 32,
  });
});

test("the memory limit counts the given words' length and attention's activations", () => {
  const gru = buildNetwork(architecture("gru"), 27);
  expect(() => checkTrainable(gru, 4096, "train", 16)).not.toThrow();
  expect(() => checkTrainable(gru, 4096, "train")).toThrow(
    makemoreError("INVALID_OPTION", /batchSize is 4096; .* at most \d+\./),
  );
  const attention = (heads: number) =>
    buildNetwork(architecture({ type: "transformer", layers: 1, heads, contextLength: 256 }), 27);
  expect(() => checkTrainable(attention(1), 128, "train")).not.toThrow();
  expect(() => checkTrainable(attention(64), 128, "train")).toThrow(
    makemoreError("INVALID_OPTION", /batchSize is 128/),
  );
});

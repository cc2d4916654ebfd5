import { expect, test } from "vitest";
import type { LayerSpec } from "../../src/types";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters, parameterCount } from "../../worker/model/network";
import { makemoreError } from "../makemoreError";

const network = (choice: Parameters<typeof architecture>[0]) => buildNetwork(architecture(choice), 27);

test("the lecture's models have the lecture's parameter counts", () => {
  expect(parameterCount(network("mlp").parameters)).toBe(12_097);
  expect(parameterCount(network({ embedding: 10, hidden: 68 }).parameters)).toBe(22_397);
  expect(parameterCount(network("wavenet").parameters)).toBe(76_579);
});

test("sizes belong to the type that they name, by default a WaveNet", () => {
  expect(architecture({ type: "mlp" })).toEqual(architecture("mlp"));
  expect(architecture({ type: "wavenet", hidden: 68 })).toEqual(architecture({ hidden: 68 }));
  // Embedding 27 x 10; hidden 30 x 100 with gamma and beta; logits 100 x 27 with a bias.
  const parameters = 27 * 10 + (30 * 100 + 2 * 100) + (100 * 27 + 27);
  expect(parameterCount(network({ type: "mlp", hidden: 100 }).parameters)).toBe(parameters);
});

test("layers merge 8 characters two by two", () => {
  expect(network("wavenet").layers.map((l) => [l.name, ...l.outputShape])).toEqual([
    ["embedding", 8, 24],
    ["flattenConsecutive1", 4, 48],
    ["linear1", 4, 128],
    ["batchNorm1d1", 4, 128],
    ["tanh1", 4, 128],
    ["flattenConsecutive2", 2, 256],
    ["linear2", 2, 128],
    ["batchNorm1d2", 2, 128],
    ["tanh2", 2, 128],
    ["flattenConsecutive3", 1, 256],
    ["linear3", 1, 128],
    ["batchNorm1d3", 1, 128],
    ["tanh3", 1, 128],
    ["linear4", 1, 27],
  ]);
});

test("any context length folds by its prime factors, or by the given folds", () => {
  const folds = (n: number) =>
    network({ contextLength: n }).layers.flatMap((l) =>
      l.spec.type === "FlattenConsecutive" ? [l.spec.n] : [],
    );
  expect(folds(12)).toEqual([2, 2, 3]);
  expect(folds(7)).toEqual([7]);
  expect(folds(1)).toEqual([1]);
  expect(() => network({ contextLength: 8, folds: [2, 3] })).toThrow(
    makemoreError("INVALID_MODEL", /folds 2 x 3 join 6 characters, but contextLength is 8/),
  );
});

test.each<[LayerSpec[], RegExp]>([
  [[{ type: "Linear", fanOut: 5 }], /linear1.*input is \[1\].*Embedding first/],
  [
    [
      { type: "Embedding", dimensions: 4 },
      { type: "FlattenConsecutive", n: 2 },
      { type: "Linear", fanIn: 9, fanOut: 5 },
      { type: "Linear" },
    ],
    /linear1 has a weight of \[9, 5\], but its input is \[1, 8\]; fanIn must be 8/,
  ],
  [
    [
      { type: "Embedding", dimensions: 4 },
      { type: "Linear", fanOut: 5 },
      { type: "BatchNorm1d", features: 6 },
      { type: "Linear" },
    ],
    /batchNorm1d1 normalises \[positions, 6\], but its input is \[1, 5\]/,
  ],
  [
    [{ type: "Embedding", dimensions: 4 }, { type: "Tanh" }],
    /tanh1, gives \[1, 4\], but the logits are \[1, 27\]/,
  ],
  [[{ type: "Embedding", dimensions: 4 }, { type: "Linear" }, { type: "Tanh" }], /linear1 needs a fanOut/],
  [
    [
      { type: "Embedding", dimensions: 4 },
      { type: "Embedding", dimensions: 4 },
    ],
    /embedding2 takes characters/,
  ],
])("a list whose layers do not fit is refused with the layer's name and both shapes", (specs, message) => {
  expect(() => buildNetwork(specs, 27)).toThrow(makemoreError("INVALID_MODEL", message));
});

test("initial weights are Kaiming's, a tenth of that in the last layer, and depend on the seed", () => {
  const net = network("wavenet");
  const parameters = initialParameters(net, 42);
  const deviation = (name: string) => {
    const values = parameters.get(name) ?? new Float32Array();
    return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  };
  // Three standard errors of an estimated standard deviation: 3 / sqrt(2 n).
  expect(Math.abs(deviation("embedding.weight") - 1)).toBeLessThan(3 / Math.sqrt(2 * 648));
  expect(Math.abs(deviation("linear2.weight") * 16 - 1)).toBeLessThan(3 / Math.sqrt(2 * 32_768));
  expect(Math.abs((deviation("linear4.weight") * Math.sqrt(128)) / 0.1 - 1)).toBeLessThan(
    3 / Math.sqrt(2 * 3456),
  );
  expect(deviation("batchNorm1d1.gamma")).toBe(1);
  expect(initialParameters(net, 42)).toEqual(parameters);
  expect(initialParameters(net, 43)).not.toEqual(parameters);
});

test("the lecture's models are chains of blocks; other lists are not", () => {
  expect(
    network("wavenet").chain?.blocks.map((b) => [b.fold, b.positions, b.fanIn, b.fanOut, b.tanh]),
  ).toEqual([
    [2, 4, 48, 128, true],
    [2, 2, 256, 128, true],
    [2, 1, 256, 128, true],
    [1, 1, 128, 27, false],
  ]);
  expect(
    buildNetwork(
      [
        { type: "Embedding", dimensions: 4 },
        { type: "Linear", fanOut: 5 },
        { type: "Tanh" },
        { type: "BatchNorm1d" },
        { type: "Linear" },
      ],
      27,
    ).chain,
  ).toBeUndefined();
});

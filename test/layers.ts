/** Compares a single layer with PyTorch's: forward and backward in tfjs, and its ONNX nodes in ONNX Runtime. */
import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { openBackend, tf } from "../worker/engines/tfjs/backend";
import type { Parameters } from "../worker/model/layer";
import { type LayerSpec, makeLayer } from "../worker/model/layers";
import { encodeModel } from "../worker/onnx/encode";
import { GraphBuilder } from "../worker/onnx/graph";
import pytorch from "./fixtures/pytorch-layers.json";
import { largestDifference } from "./pytorch";

interface Fixture {
  readonly shape: readonly number[];
  readonly x: readonly number[];
  /** The loss is the sum of y * dy. */
  readonly dy: readonly number[];
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly y: readonly number[];
  readonly dx: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const fixtures: Readonly<Record<string, Fixture>> = pytorch;

/** Float32 rounding of numbers up to about 10, over a few operations. */
const TOLERANCE = 1e-5;

/** Checks a layer with its default options against the fixture of its type. */
export async function expectPyTorch(spec: LayerSpec): Promise<void> {
  const fixture = fixtures[spec.type] ?? expect.fail(`There is no fixture of ${spec.type}.`);
  const { shape, x, dy, parameters, y, dx, gradients } = fixture;
  const [batch = 0, ...inputShape] = shape;
  const layer = makeLayer(spec, {
    name: "layer1",
    inputShape,
    vocabularySize: 27,
    last: false,
    inner: () => expect.fail("It holds no layers."),
  });
  const values: Parameters = new Map(
    Object.entries(parameters).map(([name, list]) => [`layer1.${name}`, Float32Array.from(list)]),
  );
  expect(layer.outputShape).toEqual(inputShape);
  expect(layer.parameters.map(({ name }) => name)).toEqual([...values.keys()]);
  expect(layer.block).toBeUndefined();

  await openBackend("cpu");
  const names = [...values.keys()];
  const forward = (...[input, ...tensors]: tf.Tensor[]) =>
    layer.forward(input ?? expect.fail("There is no input."), {
      tf,
      training: true,
      value: (name) => tensors[names.indexOf(name)] ?? expect.fail(`There is no ${name}.`),
      update: (name) => expect.fail(`${name} is not a running statistic.`),
    });
  const inputs = [
    tf.tensor([...x], [...shape]),
    ...[...values.values()].map((list) => tf.tensor1d(list.slice())),
  ];
  const output = forward(...inputs);
  expect(largestDifference(await output.data(), y)).toBeLessThan(TOLERANCE);
  const found = tf.grads(forward)(inputs, tf.tensor([...dy], [...shape]));
  for (const [i, expected] of [dx, ...Object.values(gradients)].entries())
    expect(largestDifference((await found[i]?.data()) ?? [], expected)).toBeLessThan(TOLERANCE);

  const graph = new GraphBuilder(layer.parameters, values);
  const input = graph.input({
    name: "x",
    type: "float",
    dimensions: ["batch", ...inputShape],
    description: "",
  });
  graph.node("Identity", [layer.onnx(graph, input)], {}, "y", "y");
  graph.output({ name: "y", type: "float", dimensions: ["batch", ...inputShape], description: "" });
  const session = await ort.InferenceSession.create(encodeModel({ graph, description: "" }));
  const run = await session.run({ x: new ort.Tensor("float32", x, [batch, ...inputShape]) });
  await session.release();
  expect(largestDifference(Array.from(run.y?.data ?? [], Number), y)).toBeLessThan(TOLERANCE);
}

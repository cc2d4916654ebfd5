import { MakemoreError } from "../../../src/errors";
import { type Layer, type Parameter, type Placement, showShape } from "../layer";

/** The last layer's weight is this much smaller, so that the first predictions are near uniform. */
const LAST_LAYER_SCALE = 0.1;

/**
 * `x @ W + b` over the channels of every position; W is [fanIn, fanOut] and begins normal times
 * 1 / sqrt(fanIn) (Kaiming's rule with gain 1), b begins at 0. The lecture's `Linear`, which
 * leaves the bias out (`bias: false`) where a BatchNorm1d, which has its own, follows.
 */
export function linear(
  spec: { type: "Linear"; fanIn?: number; fanOut?: number; bias?: boolean },
  place: Placement,
): Layer {
  const { name, inputShape, vocabularySize, last } = place;
  const [positions, channels] = inputShape;
  if (positions === undefined || channels === undefined)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} takes [positions, channels], but its input is ${showShape(inputShape)}; put an Embedding first.`,
    );
  const fanIn = spec.fanIn ?? channels;
  if (fanIn !== channels)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} has a weight of ${showShape([fanIn, spec.fanOut ?? vocabularySize])}, but its input is ${showShape(inputShape)}; fanIn must be ${channels}.`,
    );
  if (spec.fanOut === undefined && !last)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} needs a fanOut; only the last layer's is the vocabulary by itself.`,
    );
  const fanOut = spec.fanOut ?? vocabularySize;
  const bias = spec.bias ?? true;
  const weight: Parameter = {
    name: `${name}.weight`,
    shape: [fanIn, fanOut],
    trainable: true,
    initial: { normal: (last ? LAST_LAYER_SCALE : 1) / Math.sqrt(fanIn) },
  };
  const offset: Parameter = { name: `${name}.bias`, shape: [fanOut], trainable: true, initial: { fill: 0 } };
  return {
    name,
    type: "Linear",
    spec: { type: "Linear", fanIn, fanOut, bias },
    inputShape,
    outputShape: [positions, fanOut],
    parameters: bias ? [weight, offset] : [weight],
    forward: (x, { tf, value }) => {
      const batch = x.shape[0] ?? 0;
      const y = tf.matMul(x.reshape([batch * positions, fanIn]), value(weight.name));
      return (bias ? y.add(value(offset.name)) : y).reshape([batch, positions, fanOut]);
    },
    onnx: (graph, input) => {
      const product = graph.node("MatMul", [input, graph.initializer(weight.name)], {}, name);
      return bias ? graph.node("Add", [product, graph.initializer(offset.name)], {}, name) : product;
    },
  };
}

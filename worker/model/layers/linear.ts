import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { between, boolean, whole } from "../../validation";
import { type LayerKind, type Parameter, showShape } from "../layer";

/** `x @ W + b` over the channels of every position; W is [fanIn, fanOut]. */
export interface LinearSpec {
  type: "Linear";
  /** Channels of the input. Optional; checked if given. */
  fanIn?: number | undefined;
  /** Channels of the output. Optional for the last layer: its default is the size of the vocabulary. */
  fanOut?: number | undefined;
  /** Whether to add b. Default true. */
  bias?: boolean | undefined;
  /** Standard deviation of the initial weights, 0 to 100. Default 1 / sqrt(fanIn), and a tenth of it for the last layer. */
  std?: number | undefined;
}

/** Scales the last layer's initial weight down, so that the first predictions are almost uniform. */
const LAST_LAYER_SCALE = 0.1;

/**
 * `x @ W + b` over the channels of every position. W is [fanIn, fanOut], initially normal with standard deviation
 * 1 / sqrt(fanIn) (Kaiming's rule with gain 1); b is initially 0. The lecture's `Linear`; the lecture sets `bias: false`
 * before a BatchNorm1d, which has a bias of its own.
 */
export const Linear: LayerKind<LinearSpec, LinearSpec & { bias: boolean }> = {
  schema: v.strictObject({
    type: v.literal("Linear"),
    fanIn: v.optional(whole(1, 1 << 20)),
    fanOut: v.optional(whole(1, 65_535)),
    bias: v.optional(boolean, true),
    std: v.optional(between(0, 100)),
  }),
  make: (spec, { name, inputShape, vocabularySize, last }) => {
    const [positions, channels] = inputShape;
    if (positions === undefined || channels === undefined)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} takes [positions, channels], but its input is ${showShape(inputShape)}; put an Embedding first.`,
      );
    const { fanIn = channels, fanOut = vocabularySize, bias, std } = spec;
    if (fanIn !== channels)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} has a weight of ${showShape([fanIn, fanOut])}, but its input is ${showShape(inputShape)}; fanIn must be ${channels}.`,
      );
    if (spec.fanOut === undefined && !last)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} needs a fanOut; only the last layer's is the size of the vocabulary by default.`,
      );
    const weight: Parameter = {
      name: `${name}.weight`,
      shape: [fanIn, fanOut],
      trainable: true,
      initial: { normal: std ?? (last ? LAST_LAYER_SCALE : 1) / Math.sqrt(fanIn) },
    };
    const offset: Parameter = {
      name: `${name}.bias`,
      shape: [fanOut],
      trainable: true,
      initial: { fill: 0 },
    };
    return {
      name,
      spec: { type: "Linear", fanIn, fanOut, bias, ...(std === undefined ? {} : { std }) },
      inputShape,
      outputShape: [positions, fanOut],
      parameters: bias ? [weight, offset] : [weight],
      block: {
        role: "linear",
        weight: weight.name,
        ...(bias ? { bias: offset.name } : {}),
        fanIn,
        fanOut,
      },
      forward: (x, { tf, value }) => {
        const y = tf.matMul(x.reshape([-1, fanIn]), value(weight.name));
        return (bias ? y.add(value(offset.name)) : y).reshape([...x.shape.slice(0, -1), fanOut]);
      },
      onnx: (graph, input) => {
        const product = graph.node("MatMul", [input, graph.initializer(weight.name)], {}, name);
        return bias ? graph.node("Add", [product, graph.initializer(offset.name)], {}, name) : product;
      },
    };
  },
};

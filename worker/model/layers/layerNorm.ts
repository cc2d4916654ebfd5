import * as v from "valibot";
import { between } from "../../validation";
import { channelsOf, type LayerKind } from "../layer";

/** Normalises the channels of each position, then scales and shifts each channel by learned numbers. */
export interface LayerNormSpec {
  type: "LayerNorm";
  /** Added to the variance, above 0 to 1. Default 1e-5. */
  epsilon?: number | undefined;
}

/**
 * (x - mean) / sqrt(variance + epsilon) * weight + bias, over the channels of each position, with the biased variance
 * (Ba et al., 2016). Like PyTorch's `LayerNorm`; the initial weight is 1 and the initial bias is 0.
 */
export const LayerNorm: LayerKind<LayerNormSpec, LayerNormSpec & { epsilon: number }> = {
  schema: v.strictObject({ type: v.literal("LayerNorm"), epsilon: v.optional(between(0, 1, true), 1e-5) }),
  make: (spec, { name, inputShape }) => {
    const channels = channelsOf(name, inputShape);
    const { epsilon } = spec;
    const weight = `${name}.weight`;
    const bias = `${name}.bias`;
    return {
      name,
      spec,
      inputShape,
      outputShape: inputShape,
      parameters: [
        { name: weight, shape: [channels], trainable: true, initial: { fill: 1 } },
        { name: bias, shape: [channels], trainable: true, initial: { fill: 0 } },
      ],
      forward: (x, { value }) => {
        const centred = x.sub(x.mean(-1, true));
        const deviation = centred.square().mean(-1, true).add(epsilon).sqrt();
        return centred.div(deviation).mul(value(weight)).add(value(bias));
      },
      onnx: (graph, input) =>
        graph.node(
          "LayerNormalization",
          [input, graph.initializer(weight), graph.initializer(bias)],
          { axis: { int: -1 }, epsilon: { float: epsilon } },
          name,
        ),
    };
  },
};

import * as v from "valibot";
import { channelsOf, type LayerKind } from "../layer";

/** The mean over this and all earlier positions of a word. */
export interface CausalMeanSpec {
  type: "CausalMean";
}

/** Each position becomes the mean of itself and all before it: makemore's `CausalBoW`. */
export const CausalMean: LayerKind<CausalMeanSpec> = {
  schema: v.strictObject({ type: v.literal("CausalMean") }),
  readsWords: () => true,
  make: (spec, { name, inputShape }) => {
    const channels = channelsOf(name, inputShape);
    return {
      name,
      spec,
      inputShape,
      outputShape: inputShape,
      parameters: [],
      forward: (x, { tf }) => {
        const [batch = 0, time = 0, channels = 0] = x.shape;
        // A matrix product, because tfjs's gradient of cumsum is right for the last axis only.
        const shares = Float32Array.from({ length: time * time }, (_, i) => {
          const position = i % time;
          return Math.floor(i / time) <= position ? 1 / (position + 1) : 0;
        });
        const rows = x.transpose([0, 2, 1]).reshape([batch * channels, time]);
        const means = tf.matMul(rows, tf.tensor2d(shares, [time, time]));
        return means.reshape([batch, channels, time]).transpose([0, 2, 1]);
      },
      onnx: (graph, input) => {
        const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
        const one = graph.constant("int64", [1], [], name);
        const time = graph.node("Shape", [input], { start: { int: 1 }, end: { int: 2 } }, name);
        const counts = node("Range", one, node("Add", node("Squeeze", time), one), one);
        const column = node("Unsqueeze", counts, graph.integers([1], name));
        return node("Div", node("CumSum", input, one), node("CastLike", column, input));
      },
      step: (graph, input) => {
        const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
        const sum = node("Add", graph.recall(`${name}.sum`, channels), input);
        graph.remember(`${name}.sum`, sum);
        const before = node("Unsqueeze", graph.position(), graph.integers([1], name));
        const count = node("Add", before, graph.constant("int32", [1], [], name));
        return node("Div", sum, node("CastLike", count, input));
      },
    };
  },
};

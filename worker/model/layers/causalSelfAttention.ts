import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { between, boolean, whole } from "../../validation";
import { attentionNodes } from "../attentionNodes";
import { channelsOf, type LayerKind, type NodeWriter, type Parameter } from "../layer";

/** Lets each position of a word combine information from itself and from the positions before it. */
export interface CausalSelfAttentionSpec {
  type: "CausalSelfAttention";
  /** Number of heads; must divide the channels. */
  heads: number;
  /** Whether its two linear layers have a bias. Default true. */
  bias?: boolean | undefined;
  /** Standard deviation of the initial weights, 0 to 100. Default 1 / sqrt(channels). */
  std?: number | undefined;
}

/** Added to the scores of later positions, so that their softmax is 0 in float32. */
const LATER = -1e9;

/**
 * Scaled dot-product attention to this and all earlier positions (Vaswani et al., 2017), like GPT's
 * `CausalSelfAttention`. `qkv` [channels, 3 channels] makes queries, keys and values, in this order; `proj`
 * [channels, channels] combines the results of the heads. Biases are initially 0.
 */
export const CausalSelfAttention: LayerKind<
  CausalSelfAttentionSpec,
  CausalSelfAttentionSpec & { bias: boolean }
> = {
  schema: v.strictObject({
    type: v.literal("CausalSelfAttention"),
    heads: whole(1, 1024),
    bias: v.optional(boolean, true),
    std: v.optional(between(0, 100)),
  }),
  readsWords: () => true,
  make: (spec, { name, inputShape }) => {
    const channels = channelsOf(name, inputShape);
    const { heads, bias, std = 1 / Math.sqrt(channels) } = spec;
    if (channels % heads !== 0)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} has ${heads} heads for ${channels} channels; heads must divide the channels.`,
      );
    const size = channels / heads;
    const linear = (part: string, fanOut: number): { weight: Parameter; bias: Parameter } => ({
      weight: {
        name: `${name}.${part}.weight`,
        shape: [channels, fanOut],
        trainable: true,
        initial: { normal: std },
      },
      bias: { name: `${name}.${part}.bias`, shape: [fanOut], trainable: true, initial: { fill: 0 } },
    });
    /** Writes the nodes of `qkv` or `proj`. */
    const linearNodes = (graph: NodeWriter, input: string, part: "qkv" | "proj") => {
      const product = graph.node("MatMul", [input, graph.initializer(`${name}.${part}.weight`)], {}, name);
      return bias
        ? graph.node("Add", [product, graph.initializer(`${name}.${part}.bias`)], {}, name)
        : product;
    };
    const qkv = linear("qkv", 3 * channels);
    const proj = linear("proj", channels);
    return {
      name,
      spec,
      inputShape,
      outputShape: inputShape,
      parameters: [qkv, proj].flatMap(({ weight, bias: offset }) => (bias ? [weight, offset] : [weight])),
      // Queries, keys, values, the heads' results, and the attention weights of each pair of positions.
      scratch: (positions) => positions * (4 * channels + heads * positions),
      forward: (x, { tf, value }) => {
        const [batch = 0, time = 0] = x.shape;
        const apply = (rows: ReturnType<typeof value>, { weight, bias: offset }: typeof qkv) => {
          const product = tf.matMul(rows, value(weight.name));
          return bias ? product.add(value(offset.name)) : product;
        };
        const rows = apply(x.reshape([batch * time, channels]), qkv);
        // [batch, heads, time, size] each.
        const [q, k, values] = tf
          .split(rows, 3, 1)
          .map((part) => part.reshape([batch, time, heads, size]).transpose([0, 2, 1, 3]));
        if (!q || !k || !values) throw new Error(`${name}: qkv is not in three parts.`);
        const mask = tf.tensor2d(
          Float32Array.from({ length: time * time }, (_, i) => (i % time > Math.floor(i / time) ? LATER : 0)),
          [time, time],
        );
        const scores = tf.matMul(q, k, false, true).div(Math.sqrt(size)).add(mask);
        const found = tf.matMul(scores.softmax(), values).transpose([0, 2, 1, 3]);
        return apply(found.reshape([batch * time, channels]), proj).reshape([batch, time, channels]);
      },
      onnx: (graph, input) => {
        const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
        const parts = graph.node(
          "Transpose",
          [node("Reshape", linearNodes(graph, input, "qkv"), graph.integers([0, 0, 3, heads, size], name))],
          { perm: { ints: [2, 0, 3, 1, 4] } },
          name,
        );
        // [batch, heads, time, size] each.
        const part = (i: number) =>
          graph.node("Gather", [parts, graph.constant("int64", [i], [], name)], { axis: { int: 0 } }, name);
        // -Infinity above the diagonal, 0 elsewhere.
        const time = graph.node("Shape", [input], { start: { int: 1 }, end: { int: 2 } }, name);
        const square = graph.node("Concat", [time, time], { axis: { int: 0 } }, name);
        const hidden = graph.constant("float", [Number.NEGATIVE_INFINITY], [], name);
        const mask = graph.node(
          "Trilu",
          [node("Expand", hidden, square), graph.constant("int64", [1], [], name)],
          { upper: { int: 1 } },
          name,
        );
        const found = attentionNodes(graph, name, { q: part(0), k: part(1), values: part(2) }, size, mask);
        const rows = graph.node("Transpose", [found], { perm: { ints: [0, 2, 1, 3] } }, name);
        return linearNodes(graph, node("Reshape", rows, graph.integers([0, 0, channels], name)), "proj");
      },
      step: (graph, input) => {
        const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
        const all = linearNodes(graph, input, "qkv");
        const part = (i: number) =>
          node(
            "Slice",
            all,
            graph.integers([i * channels], name),
            graph.integers([(i + 1) * channels], name),
            graph.integers([1], name),
          );
        const found = graph.attend(name, { q: part(0), k: part(1), values: part(2) }, channels, heads);
        return linearNodes(graph, found, "proj");
      },
    };
  },
};

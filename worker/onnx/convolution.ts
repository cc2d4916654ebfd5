/**
 * The tree as dilated causal convolutions: the same weights slide over a whole word, and give the
 * logits of every position in one pass. A level that folds n neighbours is a convolution with a
 * kernel of n; its dilation is the product of the folds below, because that is how far apart the
 * neighbours are that the tree joins there.
 *
 *     level 3   dilation 4         o---------------o
 *     level 2   dilation 2         o-------o       o-------o
 *     level 1   dilation 1         o---o   o---o   o---o   o---o
 *     characters               .   .   .   .   e   m   m   a
 *
 * The boundaries before the word go in front as *characters*: what the tree computes over them is
 * not 0.
 */
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";

/** For networks that are a chain of blocks (`asBlocks`). */
export function convolutionGraph(network: Network, chain: BlockChain, parameters: Parameters): GraphBuilder {
  const { contextLength, vocabularySize } = chain;
  const graph = new GraphBuilder(network.parameters, parameters);
  const tokens = graph.input({
    name: "tokens",
    type: "int32",
    dimensions: ["batch", "time"],
    description:
      "Ids of the characters of words, without boundaries; shorter words are filled up with 0 at their end.",
  });
  const padded = graph.node(
    "Pad",
    [tokens, graph.integers([0, contextLength, 0, 0], "padding")],
    {},
    "padding",
  );
  let value = padded;
  let fold = 1;
  let dilation = 1;
  for (const { name, spec } of network.layers) {
    switch (spec.type) {
      case "Embedding":
        value = graph.node(
          "Gather",
          [graph.initializer(`${name}.weight`), padded],
          { axis: { int: 0 } },
          name,
        );
        // Conv and BatchNormalization take channels second: [batch, channels, time].
        value = graph.node("Transpose", [value], { perm: { ints: [0, 2, 1] } }, name);
        break;
      case "FlattenConsecutive":
        fold *= spec.n;
        break;
      case "Linear": {
        // Row j * channels + c of the weight is channel c of neighbour j.
        const { fanIn = 0, fanOut = vocabularySize, bias } = spec;
        const rows = graph.node(
          "Reshape",
          [graph.initializer(`${name}.weight`), graph.integers([fold, fanIn / fold, fanOut], name)],
          {},
          name,
        );
        const kernel = graph.node("Transpose", [rows], { perm: { ints: [2, 1, 0] } }, name);
        value = graph.node(
          "Conv",
          [value, kernel, ...(bias ? [graph.initializer(`${name}.bias`)] : [])],
          { kernel_shape: { ints: [fold] }, dilations: { ints: [dilation] } },
          name,
        );
        dilation *= fold;
        fold = 1;
        break;
      }
      case "BatchNorm1d":
        value = graph.node(
          "BatchNormalization",
          [
            value,
            ...["gamma", "beta", "runningMean", "runningVariance"].map((suffix) =>
              graph.initializer(`${name}.${suffix}`),
            ),
          ],
          { epsilon: { float: spec.epsilon ?? 1e-5 } },
          name,
        );
        break;
      case "Tanh":
        value = graph.node("Tanh", [value], {}, name);
        break;
    }
  }
  graph.node("Transpose", [value], { perm: { ints: [0, 2, 1] } }, "logits", "logits");
  graph.output({
    name: "logits",
    type: "float",
    dimensions: ["batch", "time + 1", vocabularySize],
    description:
      "logits[:, t] are of the character tokens[:, t], given those before it; the last of what follows them all.",
  });
  return graph;
}

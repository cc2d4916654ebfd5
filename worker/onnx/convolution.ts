/**
 * The tree as dilated causal convolutions: the same weights slide over a whole word and give the logits of every
 * position in one pass. A level that folds n neighbours is a convolution with a kernel of size n. Its dilation is the
 * product of the folds below, which is the distance between the neighbours that it joins.
 *
 *     level 3   dilation 4         o---------------o
 *     level 2   dilation 2         o-------o       o-------o
 *     level 1   dilation 1         o---o   o---o   o---o   o---o
 *     characters               .   .   .   .   e   m   m   a
 *
 * The word is padded in front with boundary *characters*, not with zeros after the embedding, because the tree's values
 * for boundaries are not 0.
 */
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";

/** For networks that are a chain of blocks (`Network.chain`). */
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
  for (const { name, block: part } of network.layers) {
    switch (part?.role) {
      case "embedding":
        value = graph.node("Gather", [graph.initializer(part.weight), padded], { axis: { int: 0 } }, name);
        // Conv and BatchNormalization need channels as the second axis: [batch, channels, time].
        value = graph.node("Transpose", [value], { perm: { ints: [0, 2, 1] } }, name);
        break;
      case "fold":
        fold *= part.n;
        break;
      case "linear": {
        // Row j * channels + c of the weight is for channel c of neighbour j.
        const { weight, bias, fanIn, fanOut } = part;
        const rows = graph.node(
          "Reshape",
          [graph.initializer(weight), graph.integers([fold, fanIn / fold, fanOut], name)],
          {},
          name,
        );
        const kernel = graph.node("Transpose", [rows], { perm: { ints: [2, 1, 0] } }, name);
        value = graph.node(
          "Conv",
          [value, kernel, ...(bias === undefined ? [] : [graph.initializer(bias)])],
          { kernel_shape: { ints: [fold] }, dilations: { ints: [dilation] } },
          name,
        );
        dilation *= fold;
        fold = 1;
        break;
      }
      case "norm": {
        const { gamma, beta, runningMean, runningVariance, epsilon } = part;
        const numbers = [gamma, beta, runningMean, runningVariance].map((n) => graph.initializer(n));
        value = graph.node("BatchNormalization", [value, ...numbers], { epsilon: { float: epsilon } }, name);
        break;
      }
      case "tanh":
        value = graph.node("Tanh", [value], {}, name);
        break;
      default:
        part satisfies undefined;
        throw new Error(`${name} is not of a chain of blocks.`);
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

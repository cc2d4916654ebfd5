import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";

/**
 * The model as it is trained: a window of characters in, the logits of the next one out. Any
 * network has this form; its layers write it.
 */
export function windowGraph(network: Network, parameters: Parameters): GraphBuilder {
  const { contextLength, vocabularySize, layers } = network;
  const graph = new GraphBuilder(network.parameters, parameters);
  const context = graph.input({
    name: "context",
    type: "int32",
    dimensions: ["batch", contextLength],
    description: `Ids of the last ${contextLength} characters, 0 where there are none yet.`,
  });
  const last = layers.reduce((value, layer) => layer.onnx(graph, value), context);
  // One position is left: [batch, 1, vocabulary].
  graph.node("Reshape", [last, graph.integers([0, vocabularySize], "logits")], {}, "logits", "logits");
  graph.output({
    name: "logits",
    type: "float",
    dimensions: ["batch", vocabularySize],
    description: "Of the next character; id 0 is the end of the word.",
  });
  return graph;
}

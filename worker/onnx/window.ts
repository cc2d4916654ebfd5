import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";

/**
 * The model as it is trained: maps a window of characters to the logits of the next one. All networks of windows have
 * this form.
 */
export function windowGraph(network: Network, parameters: Parameters): GraphBuilder {
  const graph = new GraphBuilder(network.parameters, parameters);
  windowLogits(graph, network);
  graph.output({
    name: "logits",
    type: "float",
    dimensions: ["batch", network.vocabularySize],
    description: "Of the next character; id 0 is the end of the word.",
  });
  return graph;
}

/** Adds the input `context` and the nodes of all layers. Returns the name of the logits. */
export function windowLogits(
  graph: GraphBuilder,
  { contextLength, vocabularySize, layers }: Network,
): string {
  const context = graph.input({
    name: "context",
    type: "int32",
    dimensions: ["batch", contextLength],
    description: `Ids of the last ${contextLength} characters, 0 where there are none yet.`,
  });
  const last = layers.reduce((value, layer) => layer.onnx(graph, value), context);
  // The last layer's output has one position: [batch, 1, vocabulary].
  return graph.node("Reshape", [last, graph.integers([0, vocabularySize], "logits")], {}, "logits", "logits");
}

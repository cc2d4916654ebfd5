import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";

/** Maps whole words to the logits of every place, for networks that read words. */
export function sequenceGraph(network: Network, parameters: Parameters): GraphBuilder {
  const { layers, vocabularySize } = network;
  const graph = new GraphBuilder(network.parameters, parameters);
  const tokens = graph.input({
    name: "tokens",
    type: "int32",
    dimensions: ["batch", "time"],
    description: "Ids of words: 0, then their characters; shorter words are filled up with 0 at their end.",
  });
  const last = layers.reduce((value, layer) => layer.onnx(graph, value), tokens);
  graph.node("Identity", [last], {}, "logits", "logits");
  graph.output({
    name: "logits",
    type: "float",
    dimensions: ["batch", "time", vocabularySize],
    description: "logits[:, t] are of what follows tokens[:, : t + 1]; id 0 is the end of the word.",
  });
  return graph;
}

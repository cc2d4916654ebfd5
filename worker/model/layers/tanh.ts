import type { Layer, Placement } from "../layer";

/** The lecture's `Tanh`. */
export function tanh(spec: { type: "Tanh" }, place: Placement): Layer {
  const { name, inputShape } = place;
  return {
    name,
    type: "Tanh",
    spec,
    inputShape,
    outputShape: inputShape,
    parameters: [],
    forward: (x) => x.tanh(),
    onnx: (graph, input) => graph.node("Tanh", [input], {}, name),
  };
}

import { MakemoreError } from "../../../src/errors";
import { type Layer, type Placement, showShape } from "../layer";

/**
 * Joins every `n` neighbouring positions into one of `n` times the channels: the step by which
 * WaveNet's tree merges its context. The lecture's `FlattenConsecutive`.
 */
export function flattenConsecutive(spec: { type: "FlattenConsecutive"; n: number }, place: Placement): Layer {
  const { name, inputShape } = place;
  const [positions, channels] = inputShape;
  const { n } = spec;
  if (positions === undefined || channels === undefined || positions % n !== 0)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} joins ${n} positions of [positions, channels], but its input is ${showShape(inputShape)}; ${
        channels === undefined ? "put an Embedding first" : `${n} must divide ${positions}`
      }.`,
    );
  const outputShape = [positions / n, channels * n];
  return {
    name,
    type: "FlattenConsecutive",
    spec,
    inputShape,
    outputShape,
    parameters: [],
    forward: (x) => x.reshape([x.shape[0] ?? 0, ...outputShape]),
    onnx: (graph, input) =>
      graph.node("Reshape", [input, graph.integers([0, ...outputShape], name)], {}, name),
  };
}

import { MakemoreError } from "../../../src/errors";
import { type Layer, type Placement, showShape } from "../layer";

/**
 * A vector for each character: row `token` of `weight` [vocabulary, dimensions], which begins
 * standard normal. The lecture's `Embedding`.
 */
export function embedding(spec: { type: "Embedding"; dimensions: number }, place: Placement): Layer {
  const { name, inputShape, vocabularySize } = place;
  const [positions] = inputShape;
  if (positions === undefined || inputShape.length !== 1)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} takes characters [positions], but its input is ${showShape(inputShape)}; an Embedding comes first.`,
    );
  const { dimensions } = spec;
  const weight = `${name}.weight`;
  return {
    name,
    type: "Embedding",
    spec,
    inputShape,
    outputShape: [positions, dimensions],
    parameters: [
      { name: weight, shape: [vocabularySize, dimensions], trainable: true, initial: { normal: 1 } },
    ],
    // A one-hot product, because the gradient of gather is slow or missing on some backends.
    forward: (x, { tf, value }) => {
      const batch = x.shape[0] ?? 0;
      const oneHot = tf.oneHot(x.reshape([batch * positions]).toInt(), vocabularySize).toFloat();
      return tf.matMul(oneHot, value(weight)).reshape([batch, positions, dimensions]);
    },
    onnx: (graph, input) =>
      graph.node("Gather", [graph.initializer(weight), input], { axis: { int: 0 } }, name),
  };
}

import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { whole } from "../../validation";
import { type LayerKind, showShape } from "../layer";

/** A vector of numbers for each character. Must come first. */
export interface EmbeddingSpec {
  type: "Embedding";
  /** Numbers per character, 1 to 4,096. */
  dimensions: number;
}

/**
 * A vector for each character: row `token` of `weight` [vocabulary, dimensions], which begins
 * standard normal. The lecture's `Embedding`.
 */
export const Embedding: LayerKind<EmbeddingSpec> = {
  schema: v.strictObject({ type: v.literal("Embedding"), dimensions: whole(1, 4096) }),
  once: true,
  make: (spec, { name, inputShape, vocabularySize }) => {
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
      spec,
      inputShape,
      outputShape: [positions, dimensions],
      parameters: [
        { name: weight, shape: [vocabularySize, dimensions], trainable: true, initial: { normal: 1 } },
      ],
      block: { role: "embedding", weight, dimensions },
      // A one-hot product, because the gradient of gather is slow or missing on some backends.
      forward: (x, { tf, value }) => {
        const batch = x.shape[0] ?? 0;
        const oneHot = tf.oneHot(x.reshape([batch * positions]).toInt(), vocabularySize).toFloat();
        return tf.matMul(oneHot, value(weight)).reshape([batch, positions, dimensions]);
      },
      onnx: (graph, input) =>
        graph.node("Gather", [graph.initializer(weight), input], { axis: { int: 0 } }, name),
    };
  },
};

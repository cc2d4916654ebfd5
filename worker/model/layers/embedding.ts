import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { between, whole } from "../../validation";
import { type LayerKind, showShape } from "../layer";

/** A learned vector for each character. Must be the first layer. */
export interface EmbeddingSpec {
  type: "Embedding";
  /** Length of each vector, 1 to 4,096. `"vocabulary"`: as many numbers as there are ids, to be used as logits. */
  dimensions: number | "vocabulary";
  /** Standard deviation of the initial numbers, 0 to 100. Default 1. */
  std?: number | undefined;
  /** `"word"` makes the model read words even if no other layer does, as in the bigram. */
  reads?: "word" | undefined;
}

const DIMENSIONS = 'a whole number from 1 to 4096, or "vocabulary"';

/**
 * Maps each token to its row of `weight` [vocabulary, dimensions], which is initially normal with standard deviation
 * `std`. The lecture's `Embedding`.
 */
export const Embedding: LayerKind<EmbeddingSpec> = {
  schema: v.strictObject({
    type: v.literal("Embedding"),
    dimensions: v.lazy((value) =>
      typeof value === "string" ? v.literal("vocabulary", DIMENSIONS) : whole(1, 4096),
    ),
    std: v.optional(between(0, 100)),
    reads: v.optional(v.literal("word", '"word"')),
  }),
  once: true,
  readsWords: ({ reads }) => reads === "word",
  make: (spec, { name, inputShape, vocabularySize }) => {
    const [positions] = inputShape;
    if (positions === undefined || inputShape.length !== 1)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} takes characters [positions], but its input is ${showShape(inputShape)}; an Embedding comes first.`,
      );
    const dimensions = spec.dimensions === "vocabulary" ? vocabularySize : spec.dimensions;
    const { std = 1 } = spec;
    const weight = `${name}.weight`;
    return {
      name,
      spec,
      inputShape,
      outputShape: [positions, dimensions],
      parameters: [
        { name: weight, shape: [vocabularySize, dimensions], trainable: true, initial: { normal: std } },
      ],
      block: { role: "embedding", weight, dimensions },
      // A one-hot product, because the gradient of gather is slow or missing on some tfjs backends.
      forward: (x, { tf, value }) => {
        const oneHot = tf.oneHot(x.flatten().toInt(), vocabularySize).toFloat();
        return tf.matMul(oneHot, value(weight)).reshape([...x.shape, dimensions]);
      },
      onnx: (graph, input) =>
        graph.node("Gather", [graph.initializer(weight), input], { axis: { int: 0 } }, name),
    };
  },
};

import * as v from "valibot";
import { between, whole } from "../../validation";
import { channelsOf, type LayerKind } from "../layer";

/** Adds a learned vector for each position of a word, so that later layers know the position. */
export interface PositionEmbeddingSpec {
  type: "PositionEmbedding";
  /** Most positions of a word, 1 to 256: its characters and the boundary before them. */
  positions: number;
  /** Standard deviation of the initial numbers, 0 to 100. Default 1. */
  std?: number | undefined;
}

/**
 * x + `weight`[position], where `weight` is [positions, channels]. GPT's `wpe`. It makes the model read words, of at most
 * this many positions.
 */
export const PositionEmbedding: LayerKind<PositionEmbeddingSpec, PositionEmbeddingSpec & { std: number }> = {
  schema: v.strictObject({
    type: v.literal("PositionEmbedding"),
    positions: whole(1, 256),
    std: v.optional(between(0, 100), 1),
  }),
  once: true,
  readsWords: () => true,
  mostPositions: ({ positions }) => positions,
  make: (spec, { name, inputShape }) => {
    const channels = channelsOf(name, inputShape);
    const { positions, std } = spec;
    const weight = `${name}.weight`;
    return {
      name,
      spec,
      inputShape,
      outputShape: inputShape,
      parameters: [{ name: weight, shape: [positions, channels], trainable: true, initial: { normal: std } }],
      forward: (x, { value }) => x.add(value(weight).slice([0, 0], [x.shape[1] ?? 0, channels])),
      onnx: (graph, input) => {
        const time = graph.node("Shape", [input], { start: { int: 1 }, end: { int: 2 } }, name);
        const zero = graph.integers([0], name);
        const rows = graph.node("Slice", [graph.initializer(weight), zero, time, zero], {}, name);
        return graph.node("Add", [input, rows], {}, name);
      },
      step: (graph, input) => {
        const rows = graph.node("Gather", [graph.initializer(weight), graph.position()], {}, name);
        return graph.node("Add", [input, rows], {}, name);
      },
    };
  },
};

import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { whole } from "../../validation";
import { type LayerKind, showShape } from "../layer";

/** Joins every `n` neighbouring positions into one, as `FlattenConsecutive(n)` does. */
export interface FlattenConsecutiveSpec {
  type: "FlattenConsecutive";
  /** Number of positions to join, 1 to 256. */
  n: number;
}

/**
 * Joins every `n` neighbouring positions into one with `n` times the channels: one level of WaveNet's tree. The lecture's
 * `FlattenConsecutive`.
 */
export const FlattenConsecutive: LayerKind<FlattenConsecutiveSpec> = {
  schema: v.strictObject({ type: v.literal("FlattenConsecutive"), n: whole(1, 256) }),
  joins: ({ n }) => n,
  windowsOnly: "a word has a prediction for each of its positions",
  make: (spec, { name, inputShape }) => {
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
      spec,
      inputShape,
      outputShape,
      parameters: [],
      block: { role: "fold", n },
      forward: (x) => x.reshape([x.shape[0] ?? 0, ...outputShape]),
      onnx: (graph, input) =>
        graph.node("Reshape", [input, graph.integers([0, ...outputShape], name)], {}, name),
    };
  },
};

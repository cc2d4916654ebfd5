import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { between, whole } from "../../validation";
import { type BlockNorm, type LayerKind, type Parameter, showShape } from "../layer";

/** Normalises each channel over batch and positions, then scales and shifts it by learned numbers. */
export interface BatchNorm1dSpec {
  type: "BatchNorm1d";
  /** Number of channels. Optional; checked if given. */
  features?: number | undefined;
  /** Weight of the current minibatch in the running statistics, 0 to 1. Default 0.1. */
  momentum?: number | undefined;
  /** Added to the variance, above 0 to 1. Default 1e-5. */
  epsilon?: number | undefined;
}

/**
 * Normalises each channel over batch and positions, then scales by `gamma` and shifts by `beta`. Like the lecture's
 * `BatchNorm1d`, it uses the *unbiased* variance (N - 1), both to normalise and for the running estimate;
 * `running = (1 - momentum) running + momentum batch`.
 */
export const BatchNorm1d: LayerKind<
  BatchNorm1dSpec,
  BatchNorm1dSpec & { momentum: number; epsilon: number }
> = {
  schema: v.strictObject({
    type: v.literal("BatchNorm1d"),
    features: v.optional(whole(1, 1 << 20)),
    momentum: v.optional(between(0, 1), 0.1),
    epsilon: v.optional(between(0, 1, true), 1e-5),
  }),
  windowsOnly: "its statistics would count the padding of short words; take a LayerNorm",
  make: ({ type, features: given, momentum, epsilon }, { name, inputShape }) => {
    const [positions, channels] = inputShape;
    const features = given ?? channels;
    if (positions === undefined || channels === undefined || features !== channels || features === undefined)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} normalises [positions, ${features ?? "channels"}], but its input is ${showShape(inputShape)}; ${
          channels === undefined ? "put an Embedding first" : `features must be ${channels}`
        }.`,
      );
    const parameter = (suffix: string, trainable: boolean, fill: number): Parameter => ({
      name: `${name}.${suffix}`,
      shape: [channels],
      trainable,
      initial: { fill },
    });
    const gamma = parameter("gamma", true, 1);
    const beta = parameter("beta", true, 0);
    const runningMean = parameter("runningMean", false, 0);
    const runningVariance: Parameter = { ...parameter("runningVariance", false, 1), nonNegative: true };
    const norm: BlockNorm = {
      gamma: gamma.name,
      beta: beta.name,
      runningMean: runningMean.name,
      runningVariance: runningVariance.name,
      momentum,
      epsilon,
    };
    return {
      name,
      spec: { type, features, momentum, epsilon },
      inputShape,
      outputShape: inputShape,
      parameters: [gamma, beta, runningMean, runningVariance],
      block: { role: "norm", ...norm },
      // With one row, the unbiased variance is 0 / 0.
      minimumRows: 2,
      forward: (x, { tf, training, value, update }) => {
        const rows = x.reshape([-1, channels]);
        let mean: ReturnType<typeof value> = value(runningMean.name);
        let variance: ReturnType<typeof value> = value(runningVariance.name);
        if (training) {
          const count = rows.shape[0] ?? 0;
          mean = rows.mean(0);
          variance = rows
            .sub(mean)
            .square()
            .sum(0)
            .div(count - 1);
          for (const [running, batch] of [
            [runningMean, mean],
            [runningVariance, variance],
          ] as const)
            update(
              running.name,
              value(running.name)
                .mul(1 - momentum)
                .add(batch.mul(momentum)),
            );
        }
        const scale = value(gamma.name).div(variance.add(epsilon).sqrt());
        return tf.add(rows.sub(mean).mul(scale), value(beta.name)).reshape(x.shape);
      },
      onnx: (graph, input) => {
        // BatchNormalization needs channels as the second axis, so make [batch, positions, channels] a list of rows.
        const rows = graph.node("Reshape", [input, graph.integers([-1, channels], name)], {}, name);
        const normal = graph.node(
          "BatchNormalization",
          [rows, ...[gamma, beta, runningMean, runningVariance].map((p) => graph.initializer(p.name))],
          { epsilon: { float: epsilon } },
          name,
        );
        return graph.node("Reshape", [normal, graph.integers([-1, ...inputShape], name)], {}, name);
      },
    };
  },
};

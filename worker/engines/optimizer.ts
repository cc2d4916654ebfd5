/**
 * The arithmetic of the optimisers, the same for every engine: what an engine needs at a step is
 * three numbers, worked out here in double precision. With g the gradient of a parameter p:
 *
 *     SGD:    p -= rate g
 *     AdamW:  m = beta1 m + (1 - beta1) g
 *             v = beta2 v + (1 - beta2) g^2
 *             p = keep p - rate m / (root sqrt(v) + epsilon)
 *
 * which is PyTorch's AdamW with its bias corrections folded into `rate` and `root`. Running
 * statistics are not trained; every trainable parameter is decayed alike, as PyTorch does.
 */
import type { AdamW, SGD } from "../../src/types";
import type { Parameters } from "../model/layer";

export type Optimizer = Required<SGD> | Required<AdamW>;

/** First and second moments of each trainable parameter; both empty for SGD. */
export interface Moments {
  readonly m: Parameters;
  readonly v: Parameters;
}

/** Numbers a step in the table of `stepFactors`: rate, root, keep, and one spare for alignment. */
export const FACTORS = 4;

/**
 * [rate, root, keep, 0] for each step from `firstStep` on.
 *
 * @param firstStep steps already done
 * @param learningRates one a step
 */
export function stepFactors(
  optimizer: Optimizer,
  firstStep: number,
  learningRates: Float32Array,
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(learningRates.length * FACTORS);
  for (const [i, rate] of learningRates.entries()) {
    const t = firstStep + i + 1;
    table.set(
      optimizer.type === "sgd"
        ? [rate, 1, 1, 0]
        : [
            rate / (1 - optimizer.beta1 ** t),
            1 / Math.sqrt(1 - optimizer.beta2 ** t),
            1 - rate * optimizer.weightDecay,
            0,
          ],
      i * FACTORS,
    );
  }
  return table;
}

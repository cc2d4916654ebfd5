/** The optimiser's part of a chunk of steps, the same for every engine. */
import { type Optimizer, optimizerKind } from "../optimizers";

/** Numbers per step in the table of `stepFactors`; an optimiser with fewer factors leaves the rest 0. */
export const FACTORS = 4;

/**
 * Computes the optimiser's factors (see `OptimizerKind.factors`) for each step from `firstStep` on.
 *
 * @param firstStep steps already done
 * @param learningRates one per step
 */
export function stepFactors(
  optimizer: Optimizer,
  firstStep: number,
  learningRates: Float32Array,
): Float32Array<ArrayBuffer> {
  const kind = optimizerKind(optimizer);
  const table = new Float32Array(learningRates.length * FACTORS);
  for (const [i, rate] of learningRates.entries())
    table.set(kind.factors(optimizer, firstStep + i + 1, rate), i * FACTORS);
  return table;
}

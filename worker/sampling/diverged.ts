import { MakemoreError } from "../../src/errors";

/**
 * For logits that are not numbers. Finite weights may still be large enough for that.
 *
 * @param words those that were sampled before
 */
export function diverged(words?: readonly string[]): MakemoreError {
  return new MakemoreError(
    "SAMPLING_FAILED",
    "The model's predictions are not numbers: its training diverged. Train again with a lower learningRate.",
    words && { words },
  );
}

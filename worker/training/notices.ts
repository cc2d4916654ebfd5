/** Notices about a training that ended with a bad result. */
import { MakemoreError } from "../../src/errors";
import type { Validated } from "./watch";

/** The mean loss of this many last steps is judged. */
const LAST_STEPS = 100;
/** A loss that is higher by this much, nats, is not noise. */
const FAR_ABOVE = 1;
/** With a larger share of copies than this, the model has learned the list by heart. */
const MANY_COPIES = 0.5;

/**
 * Judges the loss at the end of a training. The learning rate was too high if the loss is far above that of random
 * guessing, ln(vocabulary), and above that of the untrained model. The untrained model may itself be worse than
 * guessing: a bag of words is, because its embeddings are large.
 *
 * @param losses of every step
 * @param best the kept weights, if the validation loss was watched
 * @param untrained computes the loss before the first step; called only if the last loss is worse than guessing
 * @returns a notice if the kept weights are earlier ones that do better than guessing; nothing if all is well
 * @throws MakemoreError `DIVERGED` if no such weights were kept
 */
export async function explosion(
  losses: Float32Array,
  vocabularySize: number,
  best: Validated | undefined,
  untrained: () => Promise<number>,
): Promise<string[]> {
  const last = losses.subarray(-LAST_STEPS);
  const loss = last.reduce((a, b) => a + b, 0) / last.length;
  const guessing = Math.log(vocabularySize);
  if (!(loss > guessing + FAR_ABOVE) || !(loss > (await untrained()) + FAR_ABOVE)) return [];
  const what = `The loss ended at ${loss.toFixed(1)}, and guessing at random has ${guessing.toFixed(1)}: learningRate is too high`;
  if (best && best.validation < guessing)
    return [`${what}. The weights of step ${best.checkpoint.step}, before it rose, were kept.`];
  throw new MakemoreError("DIVERGED", `${what}; try a tenth of it. The model stays as the training left it.`);
}

/** Warns if a model mostly repeats its list. @param watched whether the weights with the best validation loss were kept */
export function overfitting(copies: number, watched: boolean): string[] {
  if (!(copies > MANY_COPIES)) return [];
  const share = `${Math.round(copies * 100)} % of 1,000 samples are words of the list`;
  return [
    watched
      ? `${share}; sample with novel: true, or train on more words.`
      : `${share}: the model has learned it by heart. Sample with novel: true, train on more words or with fewer steps, or let keepBest and a validation split keep earlier weights.`,
  ];
}

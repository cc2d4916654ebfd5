/** What a result says about a training that ended, but not well. */
import { MakemoreError } from "../../src/errors";
import type { Validated } from "./watch";

/** Steps at the end whose mean loss is judged. */
const LAST_STEPS = 100;
/** A loss this much higher, nats, is no noise. */
const FAR_ABOVE = 1;
/** Share of copies above which a model has learned the list by heart. */
const MANY_COPIES = 0.5;

/**
 * Judges the loss at the end of a training. If it is far above that of a model that guesses at random, ln(vocabulary), and
 * above that of the untrained model, the steps were too long. An untrained model may be worse than guessing: a bag of words
 * is, because its embeddings are large.
 *
 * @param losses of every step
 * @param best the weights that were kept, if the validation loss was watched
 * @param untrained gives the loss before the first step of the training; asked only when the end is worse than guessing
 * @returns a notice if earlier weights were kept that do better than guessing; nothing if all is well
 * @throws MakemoreError `DIVERGED` if there are none
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

/** Says if a model mostly repeats its list; `watched`: the weights that validated best were kept. */
export function overfitting(copies: number, watched: boolean): string[] {
  if (!(copies > MANY_COPIES)) return [];
  const share = `${Math.round(copies * 100)} % of 1,000 samples are words of the list`;
  return [
    watched
      ? `${share}; sample with novel: true, or train on more words.`
      : `${share}: the model has learned it by heart. Sample with novel: true, train on more words or with fewer steps, or let keepBest and a validation split keep earlier weights.`,
  ];
}

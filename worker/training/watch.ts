/**
 * Early stopping. A watch looks at the validation loss at fixed steps, remembers the best model, and ends the
 * training after `patience` steps without a better one. Step numbers decide when to look, never time, so the
 * same training always keeps the same weights.
 *
 *     step   16  20  24  28  32    40    48    56    64        80  …   four looks per doubling
 *
 * The distance between looks grows with the steps done, because the loss changes ever more slowly.
 */
import type { Checkpoint } from "./checkpoint";

/** The first look comes after at least this many steps. */
const FIRST_LOOK = 16;
/** The first look comes after this share of the first epoch: nothing overfits sooner. */
const FIRST_PASS = 1 / 4;

/** A model and its mean cross entropy on the validation split, nats per character. */
export interface Validated {
  readonly checkpoint: Checkpoint;
  readonly validation: number;
}

export interface WatchOptions {
  /** Examples of the training split. */
  readonly examples: number;
  readonly batchSize: number;
  /** End the training after this many steps without a better look; 0 means never. */
  readonly patience: number;
  /** Estimates the validation loss quickly, for comparison. */
  readonly estimate: (checkpoint: Checkpoint) => Promise<number>;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #first: number;
  #best: Validated | undefined;
  /** Step from which patience counts. */
  #since: number;

  /**
   * @param from initial step: 0, or the step at which the resumed training stopped
   * @param before the watch of the resumed training, if any
   */
  constructor(options: WatchOptions, from: number, before?: Watch) {
    this.#options = options;
    const pass = options.examples / options.batchSize;
    this.#first = 2 ** Math.ceil(Math.log2(Math.max(FIRST_LOOK, pass * FIRST_PASS)));
    this.#since = from;
    if (before) {
      this.#best = before.#best;
      this.#since = before.#since;
    }
  }

  /** Returns the first step after `step` at which to look. */
  next(step: number): number {
    if (step < this.#first) return this.#first;
    const distance = this.#distance(step);
    return (Math.floor(step / distance) + 1) * distance;
  }

  isDue(step: number): boolean {
    return step >= this.#first && step % this.#distance(step) === 0;
  }

  #distance(step: number): number {
    return 2 ** Math.floor(Math.log2(step)) / 4;
  }

  /**
   * Looks at a model that is due.
   *
   * @returns whether training should go on
   */
  async look(checkpoint: Checkpoint): Promise<boolean> {
    const { estimate, patience } = this.#options;
    const validation = await estimate(checkpoint);
    const { step } = checkpoint;
    if (this.#best === undefined || validation < this.#best.validation) {
      this.#best = { checkpoint, validation };
      this.#since = step;
    }
    if (patience === 0 || step - this.#since < patience) return true;
    // Restart the count, so that a resumed training gets the full patience again.
    this.#since = step;
    return false;
  }

  /**
   * Returns the best model of all looks and the last model. The last one does not count as a look, because it may be
   * at any step; a training that resumes from it ignores it.
   */
  async best(last: Checkpoint): Promise<Validated> {
    if (this.#best?.checkpoint.step === last.step) return this.#best;
    const validation = await this.#options.estimate(last);
    const best = this.#best;
    return best && !(validation < best.validation) ? best : { checkpoint: last, validation };
  }
}

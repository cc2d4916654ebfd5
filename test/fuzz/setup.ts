/** Settings of the fuzz tests: few cases by default, more with `FUZZ_CASES`. */

/** Number of cases per kind of input. */
export const CASES = Number(process.env.FUZZ_CASES ?? 1500);
export const SEED = Number(process.env.FUZZ_SEED ?? 17);
/** Maximum duration of a refusal, ms. It is generous, because other programs may delay a case. */
export const LIMIT_MS = 1000;

/** A random number generator with a seed: mulberry32. */
export class Draw {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Draws a number in [0, 1). */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Draws a whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.number() * count);
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("There is nothing to draw from.");
    return item;
  }
}

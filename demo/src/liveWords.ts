/** Words that the model writes while it trains, refreshed again and again. */
import type { SampleOptions } from "makemore-web";
import { make } from "./dom";

/** Words that are shown. */
const WORDS = 24;
/** Milliseconds between two sets of words, at least. */
const PAUSE = 400;
/** The same for visitors who prefer reduced motion. */
const CALM_PAUSE = 3000;
/** Training waits while words are written, so the pause is this many times as long as the writing: at most 9 % of the time. */
const SHARE = 10;

/**
 * The same seed each time: a word then changes with the model, not by chance. Untrained models seldom end a
 * word, so its length is limited.
 */
export const LIVE = { seed: 42, maxLength: 20 } as const satisfies SampleOptions;

export type Sample = (count: number, options: SampleOptions) => Promise<string[]>;

export class LiveWords {
  readonly #list: HTMLElement;
  #writing = new AbortController();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Shows words of the training that has begun, from now until `stop`. */
  async start(sample: Sample): Promise<void> {
    this.stop();
    this.#writing = new AbortController();
    const { signal } = this.#writing;
    // The first call also loads ONNX Runtime, which the training does not wait for.
    for (let share = 0; !signal.aborted; share = SHARE) {
      const began = performance.now();
      // Ignore failures here: the training goes on, and the panel of new words shows them.
      const words = await sample(WORDS, { ...LIVE, signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (words) this.show(words);
      const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM_PAUSE : PAUSE;
      await sleep(Math.max(pause, share * (performance.now() - began)));
    }
  }

  /** Stops refreshing; the last words stay. */
  stop(): void {
    this.#writing.abort();
  }

  show(words: readonly string[]): void {
    this.#list.replaceChildren(
      ...words.map((word) => {
        const item = make("li", "", word);
        item.dir = "auto";
        return item;
      }),
    );
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What the model wrote as it learnt: a row for each of a few steps, there before they come. */
import { make } from "./dom";
import { count } from "./format";

/** Samples taken in one training. */
const SAMPLES = 20;
/** Which of them stay: the beginning is where it learns fastest. */
const KEPT = [1, 2, 4, 8, 14, 20];

export class Diary {
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Steps between two samples. */
  static every(steps: number): number {
    return Math.ceil(steps / SAMPLES);
  }

  /** Empty rows for a training of so many steps, of which the first `done` are not to be seen. */
  begin(steps: number, done: number): void {
    this.#list.replaceChildren();
    this.goOn(steps, done);
  }

  /** Empty rows for what comes after step `done`, below those that are written. */
  goOn(steps: number, done: number): void {
    for (const entry of this.#empty()) entry.remove();
    const coming = KEPT.map((nth) => Math.min(steps, nth * Diary.every(steps)));
    for (const step of new Set(coming)) {
      if (step <= done) continue;
      const words = make("span", "words", "…");
      const entry = make("li", "", make("span", "step", `step ${count(step)}`), words);
      entry.dataset.step = String(step);
      this.#list.append(entry);
    }
  }

  /** Fills the rows whose step has come. */
  write(step: number, words: readonly string[]): void {
    for (const entry of this.#empty()) {
      if (Number(entry.dataset.step) > step) break;
      entry.classList.add("written");
      entry.lastElementChild?.replaceChildren(words.join("  "));
    }
  }

  #empty(): NodeListOf<HTMLElement> {
    return this.#list.querySelectorAll<HTMLElement>("li:not(.written)");
  }
}

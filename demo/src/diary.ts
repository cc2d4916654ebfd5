/** What the model wrote as it learned: a few rows of steps, laid out before the training reaches them. */
import { make } from "./dom";
import { count } from "./format";

/** Rows per training; few, because the training waits for each sample. */
const ROWS = 8;

export class Diary {
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Steps between two rows, a multiple of `unit`. */
  static every(steps: number, unit = 1): number {
    return unit * Math.max(1, Math.floor(steps / ROWS / unit));
  }

  /** Lays out empty rows for a training of `steps` steps, without the first `done`. */
  begin(steps: number, done: number, unit = 1): void {
    this.#list.replaceChildren();
    this.goOn(steps, done, unit);
  }

  /** Lays out empty rows for the steps after `done`, below the written ones; words come every `unit` steps. */
  goOn(steps: number, done: number, unit = 1): void {
    for (const entry of this.#empty()) entry.remove();
    const every = Diary.every(steps, unit);
    for (let step = every; step <= Math.min(steps, ROWS * every); step += every) {
      if (step <= done) continue;
      const words = make("span", "words", "…");
      words.dir = "auto";
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
      entry.lastElementChild?.replaceChildren(
        ...words.flatMap((word) => [make("span", "", word), "  "]).slice(0, -1),
      );
    }
  }

  #empty(): NodeListOf<HTMLElement> {
    return this.#list.querySelectorAll<HTMLElement>("li:not(.written)");
  }
}

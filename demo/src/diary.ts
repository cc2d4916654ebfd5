/** What the model wrote as it learnt: a row for each of a few steps, there before they come. */
import { make } from "./dom";
import { count } from "./format";

/** Rows of one training; each is a sample that the training waits for. */
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

  /** Empty rows for a training of so many steps, of which the first `done` are not to be seen. */
  begin(steps: number, done: number, unit = 1): void {
    this.#list.replaceChildren();
    this.goOn(steps, done, unit);
  }

  /** Empty rows for what comes after step `done`, below those that are written; words come every `unit` steps. */
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

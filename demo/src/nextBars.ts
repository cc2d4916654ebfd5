/** What the model expects next, as bars; a press on one takes its character. */
import type { NextCharacter } from "makemore-web";
import { make } from "./dom";
import { visible } from "./format";

/** Bars that are shown: the likeliest characters. */
const BARS = 8;

export class NextBars {
  readonly #bars: {
    button: HTMLButtonElement;
    character: HTMLElement;
    bar: HTMLElement;
    chance: HTMLElement;
  }[];
  #shown: readonly NextCharacter[] = [];

  /**
   * @param list where the bars go
   * @param take is given the character that was pressed; "" is the end of the word
   */
  constructor(list: HTMLElement, take: (character: string) => void) {
    this.#bars = Array.from({ length: BARS }, (_, i) => {
      const [character, bar, chance] = [
        make("bdi", "character"),
        make("span", "bar"),
        make("span", "chance"),
      ];
      const button = make("button", "", character, bar, chance);
      button.type = "button";
      button.addEventListener("click", () => {
        const shown = this.#shown[i];
        if (shown) take(shown.character);
      });
      return { button, character, bar, chance };
    });
    list.replaceChildren(...this.#bars.map(({ button }) => make("li", "", button)));
    this.show([]);
  }

  /** Shows the first of these; they are sorted, likeliest first. The buttons are reused, so the focus stays. */
  show(next: readonly NextCharacter[]): void {
    this.#shown = next;
    this.#bars.forEach(({ button, character, bar, chance }, i) => {
      const shown = next[i];
      // Not `hidden`, so that the list keeps its height.
      button.style.visibility = shown ? "" : "hidden";
      if (!shown) return;
      character.textContent = visible(shown.character) || "end";
      bar.style.setProperty("--share", String(shown.probability));
      chance.textContent = percent(shown.probability);
    });
  }
}

/** "<1%" below one in a hundred. */
function percent(probability: number): string {
  return probability < 0.01 ? "<1%" : `${Math.round(100 * probability)}%`;
}

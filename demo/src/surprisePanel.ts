/** How surprised the model is by a typed word, character by character, and where the word stands. */
import type { WordScore } from "makemore-web";
import type { AppState } from "./appState";
import { debounce, draw, find, isolate, make, messageOf, withoutCall } from "./dom";
import { count, signed, visible } from "./format";
import { histogram, type Ranking, rankingOf, shareBelow } from "./rank";
import { normalForm, spread } from "./wordList";

/** Nats at which the colour is full: a chance of 1 in 400. */
const FULL = 6;
/** Words of the list that the typed one is compared with. */
const SAMPLE = 1000;
const BINS = 48;

export class SurprisePanel {
  readonly #app: AppState;
  readonly #typed: HTMLInputElement;
  readonly #tiles = find("tiles", HTMLElement);
  readonly #error = find("typed-error", HTMLElement);
  readonly #place = find("place", HTMLElement);
  readonly #text = find("place-text", HTMLElement);
  #ranking: Ranking = rankingOf([]);
  /** The word that is shown. */
  #shown: WordScore | undefined;
  /** Counts requests, to drop the answers of earlier ones. */
  #asked = 0;
  /** Whether the visitor typed the word. */
  #isEdited = false;
  /** Whether `#suit` is putting a word into the field. */
  #isSuiting = false;

  constructor(app: AppState, typed: HTMLInputElement) {
    this.#app = app;
    this.#typed = typed;
    this.#showUnscored(this.#text.textContent);
    const score = debounce(120, () => void this.#score());
    typed.addEventListener("input", () => {
      // The caller of `#suit` scores the word.
      if (this.#isSuiting) return;
      this.#isEdited = true;
      if (app.model) score();
      else this.#showUnscored(this.#text.textContent);
    });
    app.watch((change) => {
      // The list's places are those that the model before gave it.
      if (change === "begun" || change === "opened") this.#ranking = rankingOf([]);
      if (!app.model || (change !== "learnt" && change !== "opened")) return;
      this.#suit();
      void this.#score();
      void this.#rank();
    });
  }

  /** Takes a word of the list if nobody typed one and the page's default word has characters that the model never saw. */
  #suit(): void {
    const { model, list } = this.#app;
    const known = new Set(model?.vocabulary);
    if (this.#isEdited || [...this.#typed.value].every((character) => known.has(character))) return;
    const [word] = spread(list, 1, model?.vocabulary ?? []);
    if (word === undefined) return;
    this.#typed.value = word;
    this.#isSuiting = true;
    this.#typed.dispatchEvent(new Event("input"));
    this.#isSuiting = false;
  }

  /** Scores a sample of the list with the current model, and shows the word's rank in it. */
  async #rank(): Promise<void> {
    const { model, list, makemore } = this.#app;
    const words = spread(list, SAMPLE, model?.vocabulary ?? []);
    try {
      const scores = words.length > 0 ? await makemore.score(words) : [];
      if (this.#app.model !== model) return;
      this.#ranking = rankingOf(scores.map((score) => score.perCharacter));
      if (this.#shown) this.#show(this.#shown);
    } catch (error) {
      this.#error.textContent = withoutCall(messageOf(error));
    }
  }

  async #score(): Promise<void> {
    const asked = ++this.#asked;
    const word = this.#typed.value.trim();
    this.#error.textContent = "";
    if (word === "") {
      this.#showUnscored("Type a word.");
      return;
    }
    try {
      const [score] = await this.#app.makemore.score([word]);
      if (score && asked === this.#asked) this.#show(score);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#showUnscored("");
      this.#error.textContent = withoutCall(messageOf(error));
    }
  }

  /** The word's characters, and in place of its place, `text`. */
  #showUnscored(text: string): void {
    this.#shown = undefined;
    this.#text.textContent = text;
    this.#tiles.replaceChildren(...[...this.#typed.value.trim(), "end"].map((c) => tile(c)));
    this.#place.replaceChildren();
  }

  #show(score: WordScore): void {
    this.#shown = score;
    const { word, perCharacter, surprises } = score;
    this.#tiles.replaceChildren(
      ...surprises.map(({ character, surprise }, i) =>
        tile(i === surprises.length - 1 ? "end" : character, surprise),
      ),
    );
    const ranking = this.#ranking;
    if (ranking.length === 0) {
      this.#place.replaceChildren();
      this.#text.textContent = `${signed(perCharacter)} nats per character.`;
      return;
    }
    const share = shareBelow(ranking, perCharacter);
    const listed = this.#app.list.words.has(normalForm(word)) ? " It is in your list." : "";
    this.#place.replaceChildren(strip(ranking, perCharacter));
    this.#text.replaceChildren(
      "“",
      isolate(word),
      `” is likelier than ${percent(share)} of your words (${count(ranking.length)} were scored): ${signed(perCharacter)} nats per character.${listed}`,
    );
  }
}

/** 0 and 100 only if it is none or all. */
function percent(share: number): string {
  if (share === 0 || share === 1) return `${100 * share}%`;
  return `${Math.min(99, Math.max(1, Math.round(100 * share)))}%`;
}

/** Rounded for reading; 0 and 100 only for the impossible and the certain. */
function chance(surprise: number): string {
  const percentage = 100 * Math.exp(-surprise);
  if (percentage < 0.1) return "<0.1%";
  return percentage < 10 ? `${percentage.toFixed(1)}%` : `${Math.min(99, Math.round(percentage))}%`;
}

/** A number; it runs left to right in a right-to-left word too. */
function number(className: string, text: string): HTMLSpanElement {
  const span = make("span", className, text);
  span.dir = "ltr";
  return span;
}

function tile(character: string, surprise?: number): HTMLLIElement {
  const li = make(
    "li",
    character === "end" ? "end" : "",
    make("span", "character", visible(character)),
    number("nats", surprise === undefined ? "–" : surprise.toFixed(1)),
    number("chance", surprise === undefined ? "" : chance(surprise)),
  );
  if (surprise !== undefined) li.style.setProperty("--surprise", String(Math.min(1, surprise / FULL)));
  return li;
}

/** The list's words by log-likelihood, unlikely ones on the left, and a mark where this one stands. */
function strip(ranking: Ranking, value: number): SVGSVGElement {
  const low = Math.min(value, ranking[0] ?? 0) - 0.05;
  const high = Math.max(value, ranking.at(-1) ?? 0) + 0.05;
  const counts = histogram(ranking, low, high, BINS);
  const tallest = Math.max(...counts);
  const x = (BINS * (value - low)) / (high - low);
  return draw(
    "svg",
    {
      viewBox: `0 0 ${BINS} 10`,
      preserveAspectRatio: "none",
      class: "strip",
      role: "img",
      "aria-label": `Your words by likelihood per character, and this one at ${value.toFixed(2)} nats`,
    },
    ...counts.map((n, i) =>
      draw("rect", { x: i + 0.08, y: 10 - (9 * n) / tallest, width: 0.84, height: (9 * n) / tallest }),
    ),
    draw("line", { x1: x, x2: x, y1: 0, y2: 10, "vector-effect": "non-scaling-stroke" }),
  );
}

/** The drawing of the context tree along the typed word, and what the model expects there next. */

import type { AppState } from "./appState";
import { debounce, draw, find, isolate } from "./dom";
import { plural, visible } from "./format";
import { NextBars } from "./nextBars";
import { contextTree, foldsOf, innerNodes, reaches, type TreeNode } from "./tree";

/** SVG units between columns and between levels, and around them. */
const COLUMN = 30;
const ROW = 52;
const LEFT = 92;
const TOP = 44;

export class TreePanel {
  readonly #app: AppState;
  readonly #typed: HTMLInputElement;
  /** Folds of the model; those of the default model until there is one. */
  #folds: readonly number[] = [2, 2, 2];
  readonly #at = find("tree-at", HTMLInputElement);
  readonly #step = find("tree-step", HTMLOutputElement);
  readonly #place = find("tree", HTMLElement);
  readonly #text = find("tree-text", HTMLElement);
  readonly #nextText = find("next-text", HTMLElement);
  readonly #bars = new NextBars(find("next", HTMLElement), (character) => this.#goTo(character));
  readonly #expect = debounce(120, () => void this.#showNext());
  /** Counts requests, to drop the answers of earlier ones. */
  #asked = 0;
  /** Scrolls to the newest character. */
  #scroll = () => {};

  constructor(app: AppState, typed: HTMLInputElement) {
    new ResizeObserver(() => this.#scroll()).observe(this.#place);
    this.#app = app;
    this.#typed = typed;
    typed.addEventListener("input", () => this.#typedAnew());
    this.#at.addEventListener("input", () => this.#show());
    app.watch((change) => {
      if (change === "learnt" || change === "opened") this.#expect();
      const folds = this.#folds;
      if (app.model) this.#folds = foldsOf(app.model.layers);
      if (String(folds) !== String(this.#folds)) this.#show();
    });
    this.#typedAnew();
  }

  /** Moves the window to the end of the word. */
  #typedAnew(): void {
    const length = [...this.#typed.value.trim()].length;
    this.#at.max = String(length);
    this.#at.value = String(length);
    this.#show();
  }

  /** The word up to where the window ends. */
  #prefix(): string {
    return [...this.#typed.value.trim()].slice(0, Number(this.#at.value)).join("");
  }

  /** Replaces the word after the window with this character; "" ends the word. */
  #goTo(character: string): void {
    this.#typed.value = this.#prefix() + character;
    this.#typed.dispatchEvent(new Event("input"));
  }

  async #showNext(): Promise<void> {
    if (!this.#app.model) return;
    const asked = ++this.#asked;
    const prefix = this.#prefix();
    // The panel of surprise says which character the model never saw.
    const next = await this.#app.makemore.next(prefix).catch(() => []);
    if (asked !== this.#asked) return;
    this.#bars.show(next);
    if (next.length === 0) this.#nextText.textContent = "The model knows nothing of this beginning.";
    else if (prefix === "") this.#nextText.textContent = "How a word begins:";
    else this.#nextText.replaceChildren("After “", isolate(prefix), "”:");
  }

  #show(): void {
    this.#expect();
    // The boundary before the word is character 0; the window ends at `at` and guesses the next.
    const characters = ["·", ...this.#typed.value.trim()];
    const at = Math.min(Number(this.#at.value), characters.length - 1);
    const folds = this.#folds;
    const { all, fresh } = innerNodes(folds);
    const next = characters[at + 1];
    const context = reaches(folds).at(-1) ?? 1;
    const seen = characters.slice(Math.max(1, at - context + 1), at + 1).join("");
    this.#step.value = `${at} of ${characters.length - 1}`;
    if (folds.length === 0) {
      this.#place.replaceChildren();
      this.#text.textContent =
        "This model has no tree. It reads the word from left to right, one character after the other.";
      return;
    }
    const fromRight = getComputedStyle(this.#typed).direction === "rtl";
    this.#place.replaceChildren(treeDrawing(folds, characters, at, fromRight));
    // If the drawing is wider than its place, the newest character stays in sight, also after the place changes its width.
    const newest = (at + context + 2) * COLUMN;
    this.#scroll = () => {
      const { clientWidth, scrollWidth } = this.#place;
      this.#place.scrollLeft = fromRight ? scrollWidth - newest : LEFT + newest - clientWidth;
    };
    this.#scroll();
    const shared = all - fresh;
    this.#text.replaceChildren(
      "To guess ",
      ...(next === undefined ? ["the end of the word"] : ["“", isolate(next), "”"]),
      " after “",
      isolate(seen),
      `”: a tree of ${plural(all, "node")}, of which ${shared === 0 ? "none was" : `${shared} ${shared === 1 ? "was" : "were"}`} computed before and ${fresh} ${fresh === 1 ? "is" : "are"} new, one a level.`,
    );
  }
}

/** @param fromRight whether the word runs from the right */
function treeDrawing(
  folds: readonly number[],
  characters: readonly string[],
  at: number,
  fromRight: boolean,
): SVGSVGElement {
  const reach = reaches(folds);
  const context = reach.at(-1) ?? 1;
  const levels = folds.length;
  // All columns of the word are there from the start, so the drawing keeps its size as it steps.
  const first = 1 - context;
  const columns = characters.length - first + 2;
  const x = (position: number) =>
    LEFT + COLUMN / 2 + COLUMN * (fromRight ? columns - 1 - (position - first) : position - first);
  const y = (level: number) => TOP + (levels - level) * ROW;
  const nodes = contextTree(folds, at, first);
  const byState = (state: TreeNode["state"]) => nodes.filter((node) => node.state === state);
  const inner = (node: TreeNode) => node.level > 0;
  const width = LEFT + columns * COLUMN;
  const height = TOP + levels * ROW + 34;

  const edges = [...byState("shared"), ...byState("new")].flatMap((node) =>
    node.joins.map((below) =>
      draw("line", {
        class: `edge ${node.state}`,
        x1: x(node.position),
        y1: y(node.level),
        x2: x(below),
        y2: y(node.level - 1) - (node.level === 1 ? 12 : 0),
      }),
    ),
  );
  const circles = [...byState("idle"), ...byState("shared"), ...byState("new")].filter(inner).map((node) =>
    draw("circle", {
      class: `node ${node.state}`,
      cx: x(node.position),
      cy: y(node.level),
      r: node.state === "new" ? 7 : node.state === "shared" ? 5 : 2,
    }),
  );
  const letters = Array.from({ length: characters.length - first }, (_, i) => {
    const position = first + i;
    const age = at - position;
    const state = age === 0 ? "new" : age > 0 && age < context ? "shared" : "idle";
    return draw(
      "text",
      { class: `letter ${state}`, x: x(position), y: y(0) + 5 },
      visible(characters[position] ?? "·"),
    );
  });
  const labels = reach.map((characters, level) =>
    draw(
      "text",
      { class: "label", x: 0, y: y(level) + 4 },
      level === 0 ? "characters" : `${characters} at once`,
    ),
  );
  const next = characters[at + 1];
  const guess = [
    draw("line", { class: "edge new", x1: x(at), y1: y(levels), x2: x(at + 1), y2: y(levels) - 18 }),
    draw(
      "text",
      { class: "guess", x: x(at + 1), y: y(levels) - 24 },
      next === undefined ? "end?" : `${next}?`,
    ),
  ];
  return draw(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    ...edges,
    ...circles,
    ...letters,
    ...labels,
    ...guess,
  );
}

/** The trainings of a visit, and the table that compares them. */
import type { LossCurve } from "./curve";
import { find, isolate, make } from "./dom";
import { count, loss } from "./format";

/** Colours of runs in the style sheet, `--run-1` on; after the last one they begin again. */
export const RUN_COLORS = 6;

/** One training, with its resumed parts. */
export interface Run {
  /** From 1, in the order of the visit. */
  readonly number: number;
  /** What the page calls them. */
  readonly model: string;
  readonly recipe: string;
  /** Words of the list. */
  readonly words: number;
  readonly curve: LossCurve;
  /** Steps done. */
  steps: number;
  /** NaN until it is known; the same for the losses. */
  seconds: number;
  parameters: number;
  train: number;
  validation: number;
  samples: readonly string[];
}

/** Number of a run's colour, from 1. */
export function colorOf({ number }: Pick<Run, "number">): number {
  return ((number - 1) % RUN_COLORS) + 1;
}

export class Runs {
  readonly #all: Run[] = [];
  readonly #body = find("runs", HTMLElement);
  readonly #none = find("no-runs", HTMLElement);

  get all(): readonly Run[] {
    return this.#all;
  }

  /** Begins a run. */
  add(what: Pick<Run, "model" | "recipe" | "words" | "curve" | "parameters">): Run {
    const unknown = { seconds: Number.NaN, train: Number.NaN, validation: Number.NaN };
    const run: Run = { ...what, ...unknown, number: this.#all.length + 1, steps: 0, samples: [] };
    this.#all.push(run);
    this.show();
    return run;
  }

  /** Shows what the runs are now, the newest first. */
  show(): void {
    this.#none.hidden = this.#all.length > 0;
    this.#body.replaceChildren(...this.#all.map(row).reverse());
  }
}

function row(run: Run): HTMLTableRowElement {
  const header = make("th", "", `${run.number} ${run.model}`);
  header.scope = "row";
  header.style.setProperty("--run", `var(--run-${colorOf(run)})`);
  return make(
    "tr",
    "",
    header,
    ...[
      loss(run.validation),
      loss(run.train),
      count(run.parameters),
      count(run.steps),
      Number.isFinite(run.seconds) ? run.seconds.toFixed(1) : "–",
    ].map((cell) => make("td", "", cell)),
    make("td", "words", ...(run.samples.length > 0 ? run.samples.map((word) => isolate(word)) : ["–"])),
    make("td", "", run.recipe),
    make("td", "", `${count(run.words)} words`),
  );
}

/** What happens inside the model while it trains: four plots of part 3 of the lecture, from `diagnostics`. */
import type { Diagnostics, Distribution, LayerDiagnostics } from "makemore-web";
import { find, make } from "./dom";
import { count, plural } from "./format";
import { type Axis, type Line, type Plot, plot } from "./plot";
import { RUN_COLORS } from "./runs";

/** log10 of update to data that the lecture calls healthy. */
const HEALTHY = -3;

/** A distribution is drawn as far as this many standard deviations of the widest one. */
const DEVIATIONS = 4;

/** A named value of a line. */
interface Named {
  readonly name: string;
  readonly line: Line;
  /** What the legend says about it. */
  readonly value: string;
}

export class InsidePlots {
  readonly #box = find("inside-on", HTMLInputElement);
  readonly #note = find("inside-note", HTMLElement);
  readonly #figures = {
    saturation: find("inside-saturation", HTMLElement),
    activations: find("inside-activations", HTMLElement),
    gradients: find("inside-gradients", HTMLElement),
    updates: find("inside-updates", HTMLElement),
  };
  #looks: Diagnostics[] = [];
  #steps = 1;

  constructor() {
    this.#show();
  }

  /** Whether the next training is to be watched. */
  get isAsked(): boolean {
    return this.#box.checked;
  }

  /** Clears the plots for another training. */
  clear(): void {
    this.#looks = [];
    this.#show();
  }

  /** Takes the steps that were looked at, of a training of `steps` steps. */
  add(looks: readonly Diagnostics[], steps: number): void {
    if (looks.length === 0) return;
    this.#steps = steps;
    this.#looks.push(...looks);
    this.#show();
  }

  #show(): void {
    const last = this.#looks.at(-1);
    this.#note.textContent = last
      ? `${plural(this.#looks.length, "step")} looked at; the last one is step ${count(last.step + 1)}.`
      : "Tick the box, train, and the plots fill in.";
    const layers = drawnLayers(last?.layers ?? []);
    this.#showSteps(
      this.#figures.saturation,
      { low: 0, high: 1, title: "saturated", ticks: [0, 0.5, 1].map((at) => ({ at, text: percent(at) })) },
      few(last?.layers.filter(({ saturation }) => saturation !== undefined) ?? []).map(({ layer }) => layer),
      (look, name) => look.layers.find(({ layer }) => layer === name)?.saturation,
      percent,
      last ? "This model has no tanh that could saturate." : "No saturation yet.",
    );
    this.#showDistributions(
      this.#figures.activations,
      "activation",
      layers.map(({ layer, activations }) => ({ name: layer, of: activations })),
    );
    this.#showDistributions(
      this.#figures.gradients,
      "gradient",
      layers.map(({ layer, gradients }) => ({ name: layer, of: gradients })),
    );
    this.#showSteps(
      this.#figures.updates,
      {
        low: -5,
        high: -1,
        title: "log10",
        ticks: [-5, -4, -3, -2, -1].map((at) => ({ at, text: minus(at) })),
      },
      few(last?.parameters.filter(({ shape }) => shape.length === 2) ?? []).map(({ parameter }) => parameter),
      (look, name) => look.parameters.find(({ parameter }) => parameter === name)?.updateToData,
      (value) => minus(Number(value.toFixed(1))),
      "No updates yet.",
      HEALTHY,
    );
  }

  /** Draws a value of each name over the steps. */
  #showSteps(
    figure: HTMLElement,
    y: Axis,
    names: readonly string[],
    read: (look: Diagnostics, name: string) => number | undefined,
    write: (value: number) => string,
    none: string,
    reference?: number,
  ): void {
    const named = names.map((name, i): Named => {
      const points = this.#looks.flatMap((look): [number, number][] => {
        const value = read(look, name);
        return value === undefined ? [] : [[look.step, value]];
      });
      const end = points.at(-1)?.[1];
      return { name, line: { color: i + 1, points }, value: end === undefined ? "–" : write(end) };
    });
    const ticks = [0, Math.round(this.#steps / 2), this.#steps].map((at) => ({ at, text: count(at) }));
    const x = { low: 0, high: this.#steps, title: "step", ticks: this.#looks.length > 0 ? ticks : [] };
    show(figure, { x, y, ...(reference === undefined ? {} : { reference }) }, named, none);
  }

  /** Draws how often each value occurs in a layer, at the last step. */
  #showDistributions(
    figure: HTMLElement,
    title: string,
    layers: readonly { readonly name: string; readonly of: Distribution }[],
  ): void {
    const widest = Math.max(0, ...layers.map(({ of }) => DEVIATIONS * of.std));
    const furthest = Math.max(0, ...layers.map(({ of }) => Math.max(-of.min, of.max)));
    const end = Math.min(widest, furthest);
    const named = layers.map(({ name, of }, i): Named => {
      const total = of.histogram.reduce((a, b) => a + b, 0);
      const width = (of.max - of.min) / of.histogram.length;
      const points = of.histogram.map((n, bin): [number, number] => [
        of.min + (bin + 0.5) * width,
        // All numbers may be equal.
        width > 0 ? n / total / width : 0,
      ]);
      return { name, line: { color: i + 1, points }, value: `std ${short(of.std)}` };
    });
    const high = Math.max(0, ...named.flatMap(({ line }) => line.points.map(([, density]) => density)));
    const ticks = end > 0 ? [-end, 0, end].map((at) => ({ at, text: minus(short(at)) })) : [];
    const x = { low: -end, high: end, title, ticks };
    show(figure, { x, y: { low: 0, high, title: "how often", ticks: [] } }, named, `No ${title}s yet.`);
  }
}

/** Fills a figure: the plot, described by its legend in words. */
function show(figure: HTMLElement, axes: Omit<Plot, "lines">, named: readonly Named[], none: string): void {
  const image = figure.querySelector("[role=img]");
  const legend = figure.querySelector("ul");
  if (!image || !legend) throw new Error(`The page's figure #${figure.id} has no image or legend.`);
  image.replaceChildren(plot({ ...axes, lines: named.map(({ line }) => line) }));
  const texts = named.map(({ name, value }) => `${name} ${value}`);
  image.setAttribute(
    "aria-label",
    texts.length > 0 ? `${axes.y.title} by ${axes.x.title}, now: ${texts.join(", ")}` : none,
  );
  legend.replaceChildren(
    ...(texts.length > 0 ? texts : [none]).map((text, i) => {
      const item = make("li", texts.length > 0 ? "key" : "", text);
      item.style.setProperty("--run", `var(--run-${i + 1})`);
      return item;
    }),
  );
}

/** The tanhs, as in the lecture. In a model without, what each block of it adds up to; or all layers. */
function drawnLayers(layers: readonly LayerDiagnostics[]): readonly LayerDiagnostics[] {
  const tanhs = layers.filter(({ saturation }) => saturation !== undefined);
  const blocks = layers.filter(({ type }) => type === "Residual");
  return few([tanhs, blocks, layers].find((some) => some.length > 0) ?? []);
}

/** As many as there are colours, evenly spread from the first to the last. */
export function few<T>(all: readonly T[]): readonly T[] {
  if (all.length <= RUN_COLORS) return all;
  const places = Array.from({ length: RUN_COLORS }, (_, i) =>
    Math.round((i * (all.length - 1)) / (RUN_COLORS - 1)),
  );
  return all.filter((_, i) => places.includes(i));
}

function percent(share: number): string {
  return share > 0 && share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`;
}

/** Two significant places: 0.00031 is "3.1e-4". */
function short(value: number): string {
  const size = Math.abs(value);
  return size === 0 || (size >= 0.01 && size < 1000)
    ? String(Number(value.toPrecision(2)))
    : value.toExponential(1);
}

/** With a minus sign, not a hyphen. */
function minus(value: number | string): string {
  return String(value).replaceAll("-", "−");
}

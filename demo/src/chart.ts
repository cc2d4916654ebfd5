/** The loss curve on a canvas, by uPlot, in the page's colours. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Columns, lossRange } from "./curve";
import { loss } from "./format";

const HEIGHT = 220;

export class Chart {
  readonly #place: HTMLElement;
  readonly #plot: uPlot;
  #steps = 1;
  #range = lossRange([[], [], []]);

  constructor(place: HTMLElement) {
    this.#place = place;
    // Read once a scheme: asking for a style in the middle of changes makes the browser work it out.
    let colors = pageColors();
    const color = (name: keyof typeof colors) => () => colors[name];
    const axis = {
      stroke: color("quiet"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: color("line"), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => [0, this.#steps] },
          y: { range: () => this.#range },
        },
        axes: [
          { ...axis, size: 28, gap: 4 },
          { ...axis, size: 40, gap: 6 },
        ],
        series: [
          {},
          { stroke: color("accent"), width: 1.5, spanGaps: true, points: { show: false } },
          {
            stroke: color("warm"),
            width: 1.5,
            dash: [5, 4],
            spanGaps: true,
            points: { show: true, size: 6, fill: color("warm") },
          },
        ],
      },
      [[], [], []],
      place,
    );
    new ResizeObserver(() =>
      this.#plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }),
    ).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      colors = pageColors();
      this.#plot.redraw(false);
    });
  }

  /** Draws columns of steps, training losses and validation losses on an axis of `steps`. */
  show(columns: Columns, steps: number): void {
    this.#steps = steps;
    this.#range = lossRange(columns);
    this.#plot.setData(columns);
    const [at, train, validation] = columns;
    const last = (losses: (number | null)[]) => losses.filter((value) => value !== null).at(-1) ?? Number.NaN;
    this.#place.setAttribute(
      "aria-label",
      `Loss curve up to step ${Math.round(at.at(-1) ?? 0)} of ${steps}: training loss ${loss(last(train))}, validation loss ${loss(last(validation))}`,
    );
  }
}

function pageColors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`);
  return { quiet: color("quiet"), line: color("line"), accent: color("accent"), warm: color("warm") };
}

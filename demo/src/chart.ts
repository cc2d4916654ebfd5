/** The loss curves on a canvas, by uPlot, in the page's colours. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Columns, lossRange } from "./curve";
import { loss } from "./format";
import { RUN_COLORS } from "./runs";

const HEIGHT = 260;
/** Points of a curve between two numbers. */
const NUMBER_PAUSE = 4;
const FONT = "12px system-ui, sans-serif";

/** A curve of an earlier run, of which the training losses are drawn. */
export interface Earlier {
  readonly number: number;
  readonly color: number;
  readonly columns: Columns;
}

/** What the chart shows. */
export interface Shown {
  readonly columns: Columns;
  /** Steps of the training that is shown on top. */
  readonly steps: number;
  /** Number of its run's colour. */
  readonly color: number;
  readonly earlier: readonly Earlier[];
  /** Loss of a random guess, ln of the vocabulary's size; NaN if it is not known. */
  readonly guess: number;
}

export class Chart {
  readonly #place: HTMLElement;
  readonly #plot: uPlot;
  #colors = pageColors();
  #shown: Shown = { columns: [[], [], []], steps: 1, color: 1, earlier: [], guess: Number.NaN };
  #range = lossRange([]);
  #steps = 1;

  constructor(place: HTMLElement) {
    this.#place = place;
    const color = (name: "quiet" | "line" | "warm") => () => this.#colors[name];
    const axis = {
      stroke: color("quiet"),
      font: FONT,
      labelFont: FONT,
      labelSize: 18,
      labelGap: 0,
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
          { ...axis, size: 28, gap: 4, label: "step" },
          { ...axis, size: 40, gap: 6, label: "loss, nats per character" },
        ],
        series: [
          {},
          {
            stroke: () => this.#runColor(this.#shown.color),
            width: 2,
            spanGaps: true,
            points: { show: false },
          },
          {
            stroke: color("warm"),
            width: 1.5,
            dash: [5, 4],
            spanGaps: true,
            points: { show: true, size: 6, fill: color("warm") },
          },
        ],
        hooks: { drawAxes: [() => this.#drawGuess()], draw: [() => this.#drawTexts()] },
      },
      [[], [], []],
      place,
    );
    new ResizeObserver(() =>
      this.#plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }),
    ).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colors = pageColors();
      this.#plot.redraw(false);
    });
  }

  /** Draws the losses of the training that runs or ran last, over those of earlier runs. */
  show(shown: Shown): void {
    this.#shown = shown;
    const { columns, steps, earlier, guess } = shown;
    this.#steps = Math.max(steps, ...earlier.map(({ columns: [at] }) => at.at(-1) ?? 0));
    this.#range = lossRange(
      [columns, ...earlier.map(({ columns: [at, train] }): Columns => [at, train, []])],
      guess,
    );
    // The steps, the earlier runs, and on top this one's training and validation losses.
    while (this.#plot.series.length > earlier.length + 3) this.#plot.delSeries(1);
    while (this.#plot.series.length < earlier.length + 3) {
      const place = this.#plot.series.length - 3;
      this.#plot.addSeries(
        {
          stroke: () => this.#runColor(this.#shown.earlier[place]?.color ?? 1),
          width: 1.25,
          spanGaps: true,
          points: { show: false },
        },
        place + 1,
      );
    }
    this.#plot.setData(
      uPlot.join([...earlier.map(({ columns: [at, train] }): uPlot.AlignedData => [at, train]), columns]),
    );
    const [at, train, validation] = columns;
    const last = (losses: (number | null)[]) => losses.filter((value) => value !== null).at(-1) ?? Number.NaN;
    this.#place.setAttribute(
      "aria-label",
      `Loss curve up to step ${Math.round(at.at(-1) ?? 0)} of ${steps}: training loss ${loss(last(train))}, validation loss ${loss(last(validation))}`,
    );
  }

  #runColor(color: number): string {
    return this.#colors.runs[color - 1] ?? this.#colors.quiet;
  }

  /** The line of the loss that a random guess has. */
  #drawGuess(): void {
    const { guess } = this.#shown;
    if (!Number.isFinite(guess)) return;
    const { ctx, bbox } = this.#plot;
    const y = Math.round(this.#plot.valToPos(guess, "y", true));
    ctx.save();
    ctx.strokeStyle = this.#colors.quiet;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([2 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  /** The name of the random guess, the number of each earlier run, and what will be here. */
  #drawTexts(): void {
    const { guess, earlier, columns } = this.#shown;
    const { ctx, bbox } = this.#plot;
    const x = (step: number) => this.#plot.valToPos(step, "x", true);
    const y = (nats: number) => this.#plot.valToPos(nats, "y", true);
    const gap = 4 * uPlot.pxRatio;
    const right = bbox.left + bbox.width - gap;
    ctx.save();
    ctx.font = `${12 * uPlot.pxRatio}px system-ui, sans-serif`;
    ctx.fillStyle = this.#colors.quiet;
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    if (Number.isFinite(guess)) ctx.fillText(`random guess ${loss(guess)}`, right, y(guess) + gap);
    ctx.textBaseline = "bottom";
    earlier.forEach(({ number, color, columns: [at, train] }, i) => {
      const drawn = at.flatMap((step, place) => {
        const nats = train[place];
        return typeof nats === "number" ? [{ step, nats }] : [];
      });
      // Curves that end at the same place have their numbers side by side.
      const end = drawn.at(-1 - Math.min(NUMBER_PAUSE * i, drawn.length - 1));
      ctx.fillStyle = this.#runColor(color);
      if (end) ctx.fillText(String(number), Math.min(right, x(end.step)), y(end.nats) - gap / 2);
    });
    if (columns[0].length === 0 && earlier.length === 0) {
      ctx.fillStyle = this.#colors.quiet;
      ctx.textAlign = "center";
      ctx.fillText(
        "The loss of each step comes here.",
        bbox.left + bbox.width / 2,
        bbox.top + bbox.height / 2,
      );
    }
    ctx.restore();
  }
}

/** Read once per colour scheme: asking for a style in the middle of changes makes the browser lay out the page. */
function pageColors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`);
  return {
    quiet: color("quiet"),
    line: color("line"),
    warm: color("warm"),
    runs: Array.from({ length: RUN_COLORS }, (_, i) => color(`run-${i + 1}`)),
  };
}

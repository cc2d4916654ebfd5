/** The loss curves on a canvas, by uPlot, in the page's colours; the pointer and the arrow keys read them. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Columns, lossRange, lowest, nearest, pointsOf } from "./curve";
import { count, loss } from "./format";
import { RUN_COLORS } from "./runs";

const HEIGHT = 260;
/** Points of a curve between two numbers. */
const NUMBER_PAUSE = 4;
/** Steps of the axis before the first training. */
const NO_STEPS = 3000;
const FONT = "12px system-ui, sans-serif";

/** A curve of an earlier run; only its training losses are drawn. */
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
  /** Loss of a bigram counted from the list; NaN if it is not known. */
  readonly bigram: number;
}

const HOW_TO_READ = "Point at the curve, or press ← and → on it, to read values.";
const GUESS = "random guess";
const NO_REFERENCES = { guess: Number.NaN, bigram: Number.NaN };

export class Chart {
  readonly #place: HTMLElement;
  readonly #plot: uPlot;
  #colors = pageColors();
  #shown: Shown = { columns: [[], [], []], steps: 1, color: 1, earlier: [], ...NO_REFERENCES };
  #range = lossRange([]);
  #steps = NO_STEPS;
  readonly #values: HTMLElement;
  /** What is written where there is no value to read. */
  #hint: string;

  /** @param values where the values under the pointer are written; its text is the hint before the first curve */
  constructor(place: HTMLElement, values: HTMLElement) {
    this.#place = place;
    this.#values = values;
    this.#hint = values.textContent;
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
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
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
        hooks: {
          drawAxes: [() => this.#drawReferences()],
          draw: [() => this.#drawTexts()],
          setCursor: [() => this.#showValues()],
        },
      },
      [[], [], []],
      place,
    );
    new ResizeObserver(() =>
      this.#plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }),
    ).observe(place);
    this.#takeTouches();
    this.#takeKeys();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colors = pageColors();
      this.#plot.redraw(false);
    });
  }

  /** Draws the losses of the training that runs or ran last, over those of earlier runs. */
  show(shown: Shown): void {
    this.#shown = shown;
    const { columns, earlier, guess, bigram } = shown;
    const steps = shown.steps > 1 || columns[0].length > 0 ? shown.steps : NO_STEPS;
    if (columns[0].length + earlier.length > 0 && this.#hint !== HOW_TO_READ)
      this.#values.textContent = this.#hint = HOW_TO_READ;
    this.#steps = Math.max(steps, ...earlier.map(({ columns: [at] }) => at.at(-1) ?? 0));
    this.#range = lossRange(
      [columns, ...earlier.map(({ columns: [at, train] }): Columns => [at, train, []])],
      [guess, bigram],
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

  /** A finger reads the curve as a mouse does, and still scrolls the page up and down. */
  #takeTouches(): void {
    const { over } = this.#plot;
    over.style.touchAction = "pan-y";
    over.addEventListener("pointermove", ({ pointerType, clientX }) => {
      if (pointerType !== "mouse")
        this.#plot.setCursor({ left: clientX - over.getBoundingClientRect().left, top: 0 });
    });
  }

  #takeKeys(): void {
    this.#place.addEventListener("keydown", (event) => {
      const steps = this.#plot.data[0];
      const last = steps.length - 1;
      const at = this.#plot.cursor.idx;
      const to = {
        ArrowLeft: Math.max(0, (at ?? last + 1) - 1),
        ArrowRight: Math.min(last, (at ?? -1) + 1),
        Home: 0,
        End: last,
      }[event.key];
      const step = to === undefined ? undefined : steps[to];
      if (step === undefined) return;
      event.preventDefault();
      this.#plot.setCursor({ left: this.#plot.valToPos(step, "x"), top: 0 });
    });
    this.#place.addEventListener("blur", () => this.#plot.setCursor({ left: -1, top: -1 }));
  }

  /** Writes the losses at the cursor. */
  #showValues(): void {
    const { left = -1 } = this.#plot.cursor;
    const { columns, earlier } = this.#shown;
    const [at, train, validation] = columns;
    const step = this.#plot.posToVal(left, "x");
    const values = [
      { name: "training", point: nearest(pointsOf(at, train), step) },
      { name: "validation", point: nearest(pointsOf(at, validation), step) },
      ...earlier.map(({ number, columns: [at, train] }) => ({
        name: `run ${number}`,
        point: nearest(pointsOf(at, train), step),
      })),
    ].flatMap(({ name, point }) => (point ? [`${name} ${loss(point.loss)}`] : []));
    this.#values.textContent =
      left < 0 || values.length === 0 ? this.#hint : `Near step ${count(step)}: ${values.join(", ")}`;
  }

  #references(): { name: string; nats: number }[] {
    const { guess, bigram } = this.#shown;
    return [
      { name: GUESS, nats: guess },
      { name: "bigram", nats: bigram },
    ].filter(({ nats }) => Number.isFinite(nats));
  }

  /** The lines of losses to compare with. */
  #drawReferences(): void {
    const { ctx, bbox } = this.#plot;
    ctx.save();
    ctx.strokeStyle = this.#colors.quiet;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([2 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    for (const { nats } of this.#references()) {
      const y = Math.round(this.#plot.valToPos(nats, "y", true));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Labels: the reference lines, the best step, and the number of each earlier run. */
  #drawTexts(): void {
    const { earlier, columns } = this.#shown;
    const { ctx, bbox } = this.#plot;
    const x = (step: number) => this.#plot.valToPos(step, "x", true);
    const y = (nats: number) => this.#plot.valToPos(nats, "y", true);
    const gap = 4 * uPlot.pxRatio;
    const right = bbox.left + bbox.width - gap;
    ctx.save();
    ctx.font = `${12 * uPlot.pxRatio}px system-ui, sans-serif`;
    ctx.fillStyle = this.#colors.quiet;
    ctx.textAlign = "right";
    for (const { name, nats } of this.#references()) {
      // The curves are below the bigram's line, and nothing is above that of the random guess.
      const isGuess = name === GUESS;
      ctx.textBaseline = isGuess ? "top" : "bottom";
      ctx.fillText(`${name} ${loss(nats)}`, right, y(nats) + (isGuess ? gap : -gap));
    }
    const best = lowest(pointsOf(columns[0], columns[2]));
    if (best) {
      ctx.strokeStyle = ctx.fillStyle = this.#colors.warm;
      ctx.lineWidth = 1.5 * uPlot.pxRatio;
      ctx.beginPath();
      ctx.arc(x(best.step), y(best.loss), 6 * uPlot.pxRatio, 0, 2 * Math.PI);
      ctx.stroke();
      const isLate = x(best.step) > bbox.left + bbox.width / 2;
      ctx.textAlign = isLate ? "right" : "left";
      // Below the point if the text would lie on the bigram's line, and there is room.
      const above = y(best.loss) - 2 * gap;
      const isOnLine = Math.abs(above - 2 * gap - y(this.#shown.bigram)) < 4 * gap;
      const isBelow = isOnLine && y(best.loss) + 6 * gap < bbox.top + bbox.height;
      ctx.textBaseline = isBelow ? "top" : "bottom";
      const label = `best ${loss(best.loss)}, step ${count(best.step)}`;
      const at = [
        Math.min(right, Math.max(bbox.left + gap, x(best.step))),
        isBelow ? y(best.loss) + 2 * gap : above,
      ] as const;
      // Outlined in the page's colour, so that it is readable where a curve passes behind it.
      ctx.strokeStyle = this.#colors.paper;
      ctx.lineWidth = 4 * uPlot.pxRatio;
      ctx.lineJoin = "round";
      ctx.strokeText(label, ...at);
      ctx.fillText(label, ...at);
      ctx.textAlign = "right";
    }
    ctx.textBaseline = "bottom";
    earlier.forEach(({ number, color, columns: [at, train] }, i) => {
      const drawn = pointsOf(at, train);
      // If curves end at the same point, their numbers are side by side.
      const end = drawn.at(-1 - Math.min(NUMBER_PAUSE * i, drawn.length - 1));
      ctx.fillStyle = this.#runColor(color);
      if (end) ctx.fillText(String(number), Math.min(right, x(end.step)), y(end.loss) - gap / 2);
    });
    ctx.restore();
  }
}

/** Read once per colour scheme, because reading a style after a change forces a layout. */
function pageColors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`);
  return {
    paper: color("paper"),
    quiet: color("quiet"),
    line: color("line"),
    warm: color("warm"),
    runs: Array.from({ length: RUN_COLORS }, (_, i) => color(`run-${i + 1}`)),
  };
}

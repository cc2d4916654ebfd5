/**
 * The loss curve of a running training. A progress report has the mean loss since the last call, over any number of
 * steps. The curve needs the mean of every `size` steps, as in the lecture. So each report is spread over the
 * buckets that it overlaps.
 */

/** Points of the whole curve. Few, so that each is a mean over many steps. */
const POINTS = 100;

/** Nats left free below and above what is drawn. */
const MARGIN = 0.05;

/** Steps, mean training losses and validation losses; null if there is none. */
export type Columns = [steps: number[], train: (number | null)[], validation: (number | null)[]];

export class LossCurve {
  /** Steps of the whole training; a resumed one may get more. */
  steps: number;
  readonly #reports: { from: number; to: number; loss: number }[] = [];
  readonly #validation = new Map<number, number>();
  #step: number;

  /** @param step first step of this curve: above 0 if a loaded model goes on */
  constructor(steps: number, step = 0) {
    this.steps = steps;
    this.#step = step;
  }

  /** Takes the mean loss of the steps since the last call, up to `step`. */
  add(step: number, loss: number): void {
    if (step <= this.#step) return;
    this.#reports.push({ from: this.#step, to: step, loss });
    this.#step = step;
  }

  /** Takes a validation loss; NaN (a split without words) is ignored. */
  validate(step: number, loss: number): void {
    if (Number.isFinite(loss)) this.#validation.set(step, loss);
  }

  /** Columns for the chart. */
  columns(): Columns {
    const size = Math.max(1, Math.ceil(this.steps / POINTS));
    const buckets = new Map<number, { sum: number; count: number; middle: number }>();
    for (const { from, to, loss } of this.#reports) {
      for (let at = from; at < to; ) {
        const index = Math.floor(at / size);
        const end = Math.min(to, (index + 1) * size);
        const bucket = buckets.get(index) ?? { sum: 0, count: 0, middle: 0 };
        const count = end - at;
        bucket.middle = (bucket.middle * bucket.count + ((at + end) / 2) * count) / (bucket.count + count);
        bucket.sum += loss * count;
        bucket.count += count;
        buckets.set(index, bucket);
        at = end;
      }
    }
    const points: { step: number; train: number | null; validation: number | null }[] = [
      ...[...buckets.values()].map(({ sum, count, middle }) => ({
        step: middle,
        train: sum / count,
        validation: null,
      })),
      ...[...this.#validation].map(([step, validation]) => ({ step, train: null, validation })),
    ].sort((a, b) => a.step - b.step);
    return [
      points.map((point) => point.step),
      points.map((point) => point.train),
      points.map((point) => point.validation),
    ];
  }
}

/** Range of usual losses of names, in nats. */
const USUAL = { low: 1.9, high: 3 };

/**
 * Range of the chart's loss axis: everything drawn, and always the usual losses, so that the axis seldom changes.
 *
 * @param references losses of horizontal lines; NaN is not drawn
 */
export function lossRange(
  curves: readonly Columns[],
  references: readonly number[] = [],
): [low: number, high: number] {
  const losses = curves.flatMap(([, train, validation]) => [...train, ...validation]);
  const drawn = [...losses, ...references].filter(
    (value): value is number => value !== null && Number.isFinite(value),
  );
  return [
    Math.min(USUAL.low, ...drawn.map((value) => value - MARGIN)),
    Math.max(USUAL.high, ...drawn.map((value) => value + MARGIN)),
  ];
}

/** A point of a curve. */
export interface Point {
  readonly step: number;
  readonly loss: number;
}

/** The points of a column of losses. */
export function pointsOf(steps: readonly number[], losses: readonly (number | null)[]): Point[] {
  return steps.flatMap((step, i) => {
    const loss = losses[i];
    return typeof loss === "number" ? [{ step, loss }] : [];
  });
}

/** The lowest point; undefined if there is none. */
export function lowest(points: readonly Point[]): Point | undefined {
  return points.reduce<Point | undefined>(
    (best, point) => (best && best.loss <= point.loss ? best : point),
    undefined,
  );
}

/** The point nearest to a step; undefined if there is none. */
export function nearest(points: readonly Point[], step: number): Point | undefined {
  const away = (point: Point) => Math.abs(point.step - step);
  return points.reduce<Point | undefined>(
    (best, point) => (best && away(best) <= away(point) ? best : point),
    undefined,
  );
}

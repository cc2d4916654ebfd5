/** Small line plots as SVG, in the page's colours, which the style sheet gives them. */
import { draw } from "./dom";

/** Size of a plot in its own units, and the room for its axes. */
const [WIDTH, HEIGHT] = [400, 210];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 12, 10, 38];

export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly title: string;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
}

/** A line of points [x, y]; points outside of the axes are cut off. */
export interface Line {
  /** Number of its colour, as of a run: 1 to 6. */
  readonly color: number;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** A dashed horizontal line to compare with. */
  readonly reference?: number;
}

/** Draws a plot. It is decoration: the caller describes it in words. */
export function plot({ x, y, lines, reference }: Plot): SVGSVGElement {
  const scale =
    ({ low, high }: Axis, from: number, to: number) =>
    (value: number) => {
      const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
      return Number((from + share * (to - from)).toFixed(1));
    };
  const atX = scale(x, LEFT, WIDTH - RIGHT);
  const atY = scale(y, HEIGHT - BOTTOM, TOP);
  const inside = (axis: Axis, value: number) => value >= axis.low && value <= axis.high;
  const across = (value: number) => ({ x1: LEFT, x2: WIDTH - RIGHT, y1: atY(value), y2: atY(value) });
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", "aria-hidden": "true" },
    ...y.ticks.flatMap(({ at, text }) => [
      draw("line", { class: "grid", ...across(at) }),
      draw("text", { x: LEFT - 6, y: atY(at), class: "at-y" }, text),
    ]),
    draw("line", { class: "grid", ...across(y.low) }),
    ...x.ticks.map(({ at, text }) =>
      draw("text", { x: atX(at), y: HEIGHT - BOTTOM + 14, class: anchor(atX(at)) }, text),
    ),
    draw("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, class: "title" }, x.title),
    draw(
      "text",
      { class: "title", transform: `translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)` },
      y.title,
    ),
    ...(reference === undefined ? [] : [draw("line", { class: "reference", ...across(reference) })]),
    ...lines.map(({ color, points }) => {
      const drawn = points.filter(([at]) => inside(x, at)).map(([at, value]) => [atX(at), atY(value)]);
      const style = `--run: var(--run-${color})`;
      const [[cx = 0, cy = 0] = []] = drawn;
      // A line of one point would be invisible.
      return drawn.length === 1
        ? draw("circle", { style, cx, cy, r: 2 })
        : draw("polyline", { style, points: drawn.map((point) => point.join()).join(" ") });
    }),
  );
}

/** The texts at the ends stay inside. */
function anchor(x: number): string {
  if (x <= LEFT) return "at-start";
  return x >= WIDTH - RIGHT ? "at-end" : "title";
}

import type { Shape } from "../../../worker/engines/webgpu/kernels/workgroup";

/** Settings from the page's query. Without a query, it measures everything except the lecture's whole training. */
const query = new URLSearchParams(location.search);

function number(name: string, otherwise: number): number {
  const given = query.get(name);
  if (given === null) return otherwise;
  const value = Number(given);
  if (!(value >= 0)) throw new Error(`?${name}= must be a number of at least 0, not "${given}".`);
  return value;
}

export const settings = {
  /** Sections to run, in their order: `?only=correct,sizes`. */
  only: query.get("only")?.split(","),
  /** Whether to send each line to /log and the results to /done. */
  report: query.has("report"),
  /** Sizes to measure, by the beginning of their names: `?sizes=batch 32,hidden 512`. */
  sizes: query.get("sizes")?.split(","),
  /** Parts of the engine's `Shape` to measure in place of its own: `?shape={"lanes":128}`. */
  shape: JSON.parse(query.get("shape") ?? "{}") as Partial<Shape>,
  /** Duration of one measurement, ms. */
  chunkMs: number("chunk", 80),
  /** Times that each measurement is repeated. */
  repeats: number("repeats", 5),
  /** Maximum number of steps per measurement. */
  mostSteps: number("steps", 2048),
  /** No section starts after this many seconds. */
  budget: number("budget", Number.POSITIVE_INFINITY),
  /** Steps of the whole trainings: `?train=10000,30000`. */
  trainings: (query.get("train") ?? "10000,30000").split(",").filter(Boolean).map(Number),
  /** Whether to train the default recipe as it is. */
  trainsDefault: !query.has("nodefault"),
  /** Whether to train the lecture's 200,000 steps. */
  lecture: query.has("lecture"),
} as const;

/** Repeats a measurement and takes the median. */
import { settings } from "./settings";

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Rounded to a tenth. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The median of `settings.repeats` measurements. */
export async function repeated(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < Math.max(1, settings.repeats); i++) values.push(await measure());
  return median(values);
}

/** Measures how long some work takes, ms. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Duration of the warm-up, ms, because an idle GPU takes a while to reach its full clock rate. */
const WARM_UP_MS = 300;

/** Measures microseconds per step on a warm GPU, over about `settings.chunkMs`. */
export async function stepTime(
  run: (steps: number) => Promise<unknown>,
): Promise<{ us: number; steps: number }> {
  let steps = 1;
  while ((await time(() => run(steps))) < settings.chunkMs / 2 && steps < settings.mostSteps)
    steps = Math.min(settings.mostSteps, 2 * steps);
  for (let ms = 0; ms < Math.min(WARM_UP_MS, settings.repeats * settings.chunkMs); )
    ms += await time(() => run(steps));
  const ms = await repeated(() => time(() => run(steps)));
  return { us: tenths((ms * 1000) / steps), steps };
}

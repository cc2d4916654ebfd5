/** Repeats a measurement and takes the middle one. */
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

/** Milliseconds that some work takes. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** A GPU at rest takes a while to reach its full clock rate, ms. */
const WARM_UP_MS = 300;

/** Microseconds a step, of as many steps as take `settings.chunkMs`, on a GPU that is warm. */
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

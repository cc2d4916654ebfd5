import type { Schedule } from "../../src/types";
import type { Complete } from "../validation";

/** A schedule with its defaults filled in. */
export type ResolvedSchedule = Complete<Schedule>;

/** Computes the learning rate of step `step` (from 0) of `steps`, as `Schedule` in src/types.ts defines it. */
export function learningRate(schedule: ResolvedSchedule, step: number, steps: number): number {
  const { peak, warmup, decay, final, at, hold } = schedule;
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const done = (step - warmup) / Math.max(1, steps - warmup);
  // Progress of the decay, which begins after the hold. A hold of 1 never decays.
  const progress = done <= hold ? 0 : (done - hold) / (1 - hold);
  switch (decay) {
    case "constant":
      return peak;
    case "linear":
      return peak + (final - peak) * progress;
    case "cosine":
      return final + ((peak - final) * (1 + Math.cos(Math.PI * progress))) / 2;
    case "step":
      return step < at * steps ? peak : final;
  }
}

/** Computes the learning rates of steps [first, first + count). */
export function learningRates(
  schedule: ResolvedSchedule,
  first: number,
  count: number,
  steps: number,
): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => learningRate(schedule, first + i, steps));
}

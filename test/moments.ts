/** Compares AdamW's moments with a reference's. */
import { expect } from "vitest";
import type { OptimizerState } from "../worker/optimizers/optimizer";
import { largestDifference } from "./pytorch";

/** Compares AdamW's moments with the float64 reference. The tolerance is relative to a parameter's largest moment. */
export function expectMoments(
  state: OptimizerState | undefined,
  expected: Record<"m" | "v", ReadonlyMap<string, Float64Array>>,
): void {
  for (const kind of ["m", "v"] as const) {
    expect([...(state?.get(kind)?.keys() ?? [])].sort()).toEqual([...expected[kind].keys()].sort());
    for (const [name, values] of expected[kind]) {
      // A gradient of 0 in float64 (such as that of a bias before a norm) is pure rounding error in float32.
      const allowed = 1e-4 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) + 1e-8;
      expect(largestDifference(state?.get(kind)?.get(name) ?? [], values), `${kind} of ${name}`).toBeLessThan(
        allowed,
      );
    }
  }
}

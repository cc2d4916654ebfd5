import type { Distribution } from "../../../src/types";

/** Bins of a histogram. */
const BINS = 50;

/** Describes the numbers of all parts together. Its loops use indices, which are much faster than iterators. */
export function distributionOf(parts: readonly Float32Array[]): Distribution {
  let count = 0;
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const part of parts) {
    count += part.length;
    for (let i = 0; i < part.length; i++) {
      const x = part[i] ?? 0;
      sum += x;
      if (x < min) min = x;
      if (x > max) max = x;
    }
  }
  const mean = sum / count;
  const histogram = new Array<number>(BINS).fill(0);
  // If all numbers are equal, they are in the first bin.
  const scale = max > min ? BINS / (max - min) : 0;
  let squares = 0;
  for (const part of parts)
    for (let i = 0; i < part.length; i++) {
      const x = part[i] ?? 0;
      squares += (x - mean) * (x - mean);
      // The last bin includes its upper end.
      const bin = Math.min(BINS - 1, Math.floor((x - min) * scale));
      histogram[bin] = (histogram[bin] ?? 0) + 1;
    }
  // Of the unbiased variance, as PyTorch's `std`.
  return { mean, std: Math.sqrt(squares / (count - 1)), min, max, histogram };
}

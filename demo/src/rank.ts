/** Where a word stands among others. */

/** Per-character log-likelihoods of a sample of words, smallest first. */
export type Ranking = Float64Array;

/** Sorts scores into a ranking. */
export function rankingOf(perCharacter: readonly number[]): Ranking {
  return Float64Array.from(perCharacter).sort();
}

/** The share of the ranking that is below `value`, 0 to 1; an equal one counts half. */
export function shareBelow(ranking: Ranking, value: number): number {
  if (ranking.length === 0) return 0;
  let below = 0;
  let equal = 0;
  for (const other of ranking) {
    if (other < value) below++;
    else if (other === value) equal++;
  }
  return (below + equal / 2) / ranking.length;
}

/** Counts in `bins` bins of equal width from `low` to `high`; what is beyond falls in the outer ones. */
export function histogram(ranking: Ranking, low: number, high: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of ranking) {
    const bin = Math.floor(((value - low) / (high - low)) * bins);
    const clamped = Math.min(bins - 1, Math.max(0, bin));
    counts[clamped] = (counts[clamped] ?? 0) + 1;
  }
  return counts;
}

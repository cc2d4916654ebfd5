/** Maximum number of steps per bucket, as in the lecture: `lossi.view(-1, 1000).mean(1)`. */
const BUCKET = 1000;
/** Minimum number of buckets for a short run, so that there is a curve to see. */
const FEWEST_BUCKETS = 20;

/**
 * Smooths a loss curve as the lecture does: the mean of each bucket of steps. The last bucket may have fewer
 * steps.
 */
export function smooth(losses: Float32Array): { size: number; losses: Float32Array<ArrayBuffer> } {
  const size = Math.min(BUCKET, Math.max(1, Math.floor(losses.length / FEWEST_BUCKETS)));
  const smoothed = Float32Array.from({ length: Math.ceil(losses.length / size) }, (_, i) => {
    const bucket = losses.subarray(i * size, (i + 1) * size);
    return bucket.reduce((a, b) => a + b, 0) / bucket.length;
  });
  return { size, losses: smoothed };
}

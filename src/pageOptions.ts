/** Options that stay on the page, by method; the worker's schemas define all others. */
export const pageOptions: Readonly<Record<string, readonly string[]>> = {
  "new Makemore": ["assetsURL", "workerURL"],
  train: ["onProgress", "signal"],
  resume: ["words", "onProgress", "signal"],
  sample: ["novel", "pattern", "avoid", "signal"],
  words: ["novel", "pattern", "avoid", "signal"],
  next: ["signal"],
  score: ["signal"],
  classify: ["signal"],
  evaluate: ["signal"],
  exportONNX: ["signal"],
  load: ["words", "signal"],
  save: ["signal"],
};

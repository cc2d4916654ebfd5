/** Options that stay on the page, by the call they are given to; the worker knows all others by their schemas. */
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

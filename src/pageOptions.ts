/** Methods that have more such options than a signal. */
const others: Readonly<Record<string, readonly string[]>> = {
  "new Makemore": ["assetsURL", "workerURL"],
  train: ["onProgress", "signal"],
  resume: ["words", "onProgress", "signal"],
  sample: ["novel", "pattern", "avoid", "signal"],
  words: ["novel", "pattern", "avoid", "signal"],
  load: ["words", "signal"],
};

/** Returns the options of a method that stay on the page; the worker's schemas define all others. */
export function pageOptions(call: string): readonly string[] {
  return others[call] ?? ["signal"];
}

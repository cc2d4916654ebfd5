/** Whole trainings with the built package, as a visitor has them: from words to losses. */
import type { Makemore, TrainOptions } from "../../../src";
import { loadWords } from "./models";
import { settings } from "./settings";

export interface WholeTraining {
  readonly backend: string;
  readonly device: string;
  readonly steps: number;
  /** Duration of `train`, as the package reports it. */
  readonly seconds: number;
  readonly firstProgressMs: number;
  readonly measured: unknown;
  readonly notices: unknown;
  /** Mean cross entropy over whole splits, nats. */
  readonly losses: unknown;
  readonly words: readonly string[];
}

/** What to train, by name. */
export function trainings(): ReadonlyMap<string, TrainOptions> {
  return new Map<string, TrainOptions>([
    ...(settings.trainsDefault ? [["default", {}] as const] : []),
    ...settings.trainings.map((steps) => [`${steps} steps`, { steps }] as const),
    ...(settings.lecture ? [["lecture", { recipe: "lecture" }] as const] : []),
  ]);
}

/** Trains once in a new worker. */
export async function wholeTraining(options: TrainOptions): Promise<WholeTraining> {
  const address = new URL("./package/index.js", location.href).href;
  const built: { Makemore: typeof Makemore } = await import(/* @vite-ignore */ address);
  const mm = new built.Makemore();
  try {
    const words = await loadWords();
    const start = performance.now();
    let firstProgressMs = 0;
    const {
      losses: _,
      smoothed: __,
      ...result
    } = await mm.train(words, {
      seed: 42,
      ...options,
      onProgress: () => {
        firstProgressMs ||= performance.now() - start;
      },
    });
    return {
      backend: result.backend,
      device: result.device,
      steps: result.steps,
      seconds: result.seconds,
      firstProgressMs: Math.round(firstProgressMs),
      measured: result.measured,
      notices: result.notices,
      losses: await mm.evaluate(),
      words: await mm.sample(5, { seed: 1 }),
    };
  } finally {
    mm.dispose();
  }
}

/** When a training computes its validation loss (a look), which weights it keeps, and when it ends early. */
import { expect, test } from "vitest";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { Watch, type WatchOptions } from "../../worker/training/watch";
import { randomCheckpoint } from "../checkpoint";

const model = randomCheckpoint({ contextLength: 2, embedding: 2, hidden: 2 });
const at = (step: number): Checkpoint => ({ ...model, step });

/** Makes the watch of a training whose validation loss at a step is `loss`. */
function watch(loss: (step: number) => number, change: Partial<WatchOptions> = {}, from = 0, before?: Watch) {
  const options = {
    examples: 100,
    batchSize: 50,
    patience: 0,
    estimate: async (c: Checkpoint) => loss(c.step),
  };
  return new Watch({ ...options, ...change }, from, before);
}

/** Looks from step `from` on until patience has run out or `to` is reached. */
async function look(watch: Watch, from: number, to: number): Promise<number> {
  for (let step = watch.next(from); step <= to; step = watch.next(step))
    if (!(await watch.look(at(step)))) return step;
  return to;
}

test("looks come at fixed steps, four per doubling, and none before a quarter of the first pass", () => {
  const steps = (options: Partial<WatchOptions>, to: number) => {
    const it = watch(() => 0, options);
    const all: number[] = [];
    for (let step = it.next(0); step <= to; step = it.next(step)) all.push(step);
    for (let step = 0; step <= to; step++) expect(it.isDue(step), String(step)).toBe(all.includes(step));
    return all;
  };
  expect(steps({}, 100)).toEqual([16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96]);
  // 180,000 / 128 / 4 = 352 steps.
  expect(steps({ examples: 180_000, batchSize: 128 }, 1100)).toEqual([512, 640, 768, 896, 1024]);
});

test("the best look is kept (of two equal ones the earlier), unless the last weights are better", async () => {
  const valley = (step: number) => Math.abs(step - 50) + 1;
  const it = watch(valley);
  await look(it, 0, 100);
  expect(await it.best(at(100))).toEqual({ checkpoint: at(48), validation: 3 });
  expect(await it.best(at(51))).toEqual({ checkpoint: at(51), validation: 2 });
  const flat = watch(() => 1);
  await look(flat, 0, 100);
  expect((await flat.best(at(100))).checkpoint.step).toBe(16);
  // A short training ends before the first look.
  expect((await watch(() => 1).best(at(10))).checkpoint.step).toBe(10);
});

test("a validation loss that is not a number is never the best", async () => {
  const it = watch((step) => (step < 40 ? 2 : Number.NaN));
  await look(it, 0, 100);
  expect(await it.best(at(100))).toEqual({ checkpoint: at(16), validation: 2 });
});

test("patience counts steps since the best look, and starts again after resume", async () => {
  const it = watch((step) => Math.abs(step - 32), { patience: 30 });
  expect(await look(it, 0, 1000)).toBe(64);
  const again = watch((step) => Math.abs(step - 32), { patience: 30 }, 64, it);
  expect(await look(again, 64, 1000)).toBe(96);
  expect((await again.best(at(96))).checkpoint.step).toBe(32);
  expect(
    await look(
      watch((step) => step),
      0,
      1000,
    ),
  ).toBe(1000);
});

test("after a stop, a training keeps the same weights and ends at the same step as an unbroken one", async () => {
  const loss = (step: number) => (step < 60 ? 100 - step : step);
  const whole = watch(loss, { patience: 50 });
  const end = await look(whole, 0, 1000);
  const first = watch(loss, { patience: 50 });
  await look(first, 0, 70);
  // A look at a stop is not remembered.
  expect((await first.best(at(59))).checkpoint.step).toBe(59);
  const second = watch(loss, { patience: 50 }, 70, first);
  expect(await look(second, 70, 1000)).toBe(end);
  expect(await second.best(at(end))).toEqual(await whole.best(at(end)));
});

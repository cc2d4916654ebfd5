import { describe, expect, it } from "vitest";
import { LossCurve, lossRange, lowest, nearest, pointsOf } from "../../../demo/src/curve";

/** A loss for each step, so uneven that the test notices a misplaced step. */
const lossOf = (step: number) => 2 + 1 / (1 + step) + (step % 7) / 100;
const mean = (from: number, to: number) => {
  let sum = 0;
  for (let step = from; step < to; step++) sum += lossOf(step);
  return sum / (to - from);
};

describe("LossCurve", () => {
  it("gives the mean of each bucket, however the reports divide the steps", () => {
    const curve = new LossCurve(1000);
    // A bucket has 10 steps. Each of these reports lies within one bucket.
    for (let bucket = 0; bucket < 100; bucket++) {
      const from = bucket * 10;
      curve.add(from + 3, mean(from, from + 3));
      curve.add(from + 10, mean(from + 3, from + 10));
    }
    const [steps, train] = curve.columns();
    expect(steps.length).toBe(100);
    expect(steps[0]).toBe(5);
    train.forEach((loss, bucket) => {
      expect(loss).toBeCloseTo(mean(bucket * 10, bucket * 10 + 10), 12);
    });
  });

  it("spreads a report over the buckets that it overlaps, and loses no step", () => {
    const curve = new LossCurve(1000);
    for (let step = 0; step < 1000; ) {
      const next = Math.min(1000, step + 13);
      curve.add(next, mean(step, next));
      step = next;
    }
    const [, train] = curve.columns();
    const total = train.reduce<number>((sum, loss) => sum + (loss ?? 0), 0) / train.length;
    expect(total).toBeCloseTo(mean(0, 1000), 12);
  });

  it("keeps validation losses in the order of their steps", () => {
    const curve = new LossCurve(400);
    curve.add(10, 3);
    curve.validate(10, 3.1);
    curve.add(20, 2.9);
    const [steps, train, validation] = curve.columns();
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps[validation.indexOf(3.1)]).toBe(10);
    expect(train[validation.indexOf(3.1)]).toBeNull();
  });

  it("goes on after a resume with more steps", () => {
    const curve = new LossCurve(200);
    curve.add(200, 2.5);
    curve.steps = 400;
    curve.add(400, 2.1);
    const [steps, train] = curve.columns();
    expect(steps.at(-1)).toBe(398);
    expect([train[0], train.at(-1)]).toEqual([2.5, 2.1]);
  });

  it("begins at the step of a loaded model", () => {
    const curve = new LossCurve(2000, 1000);
    curve.add(1010, 2.2);
    expect(curve.columns()[0]).toEqual([1005]);
  });
});

describe("lossRange", () => {
  it("includes every validation loss", () => {
    const curve = new LossCurve(1000);
    curve.add(10, 2.5);
    curve.validate(10, 3.6);
    const [low, high] = lossRange([curve.columns()]);
    expect(low).toBeLessThan(2.5);
    expect(high).toBeGreaterThan(3.6);
  });

  it("is finite without a validation split, and without any loss", () => {
    const curve = new LossCurve(1000);
    expect(lossRange([curve.columns()])).toEqual([1.9, 3]);
    curve.add(10, 2.5);
    curve.validate(10, Number.NaN);
    expect(curve.columns()).toEqual([[5], [2.5], [null]]);
    expect(lossRange([curve.columns()])).toEqual([1.9, 3]);
  });

  it("clips neither the steep beginning nor a loss that rises later", () => {
    const curve = new LossCurve(100);
    for (let step = 0; step < 100; step++) curve.add(step + 1, step < 5 ? 4.3 : 2.2);
    expect(lossRange([curve.columns()])[1]).toBeGreaterThan(4.3);
    curve.steps = 200;
    curve.add(200, 8);
    expect(lossRange([curve.columns()])[1]).toBeGreaterThan(8);
  });

  it("has room for every curve and for the random guess", () => {
    const low = new LossCurve(10);
    low.add(10, 1.2);
    const high = new LossCurve(10);
    high.add(10, 3.1);
    const range = lossRange([low.columns(), high.columns()], [Math.log(27), Number.NaN]);
    expect(range[0]).toBeLessThan(1.2);
    expect(range[1]).toBeGreaterThan(Math.log(27));
  });
});

it("finds the point under the pointer, and the lowest one", () => {
  const points = pointsOf([1, 2, 3, 4], [3, null, 2, 2]);
  expect(points).toEqual([
    { step: 1, loss: 3 },
    { step: 3, loss: 2 },
    { step: 4, loss: 2 },
  ]);
  expect(nearest(points, 1.9)?.step).toBe(1);
  expect(nearest(points, 100)?.step).toBe(4);
  // The first of equal points, because training keeps that one.
  expect(lowest(points)?.step).toBe(3);
  expect([nearest([], 1), lowest([])]).toEqual([undefined, undefined]);
});

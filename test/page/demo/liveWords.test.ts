import type { SampleOptions } from "makemore-web";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LiveWords } from "../../../demo/src/liveWords";

let list: HTMLElement;
let live: LiveWords;

beforeEach(() => {
  vi.useFakeTimers();
  list = document.createElement("ul");
  live = new LiveWords(list);
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

const shown = () => [...list.children].map((item) => item.textContent);

it("shows words at once, and as the model changes, other words from the same seed", async () => {
  const asked: SampleOptions[] = [];
  void live.start(async (_, options) => {
    asked.push(options);
    return [`word${asked.length}`];
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(["word1"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.length).toBeGreaterThan(1);
  expect(shown()).toEqual([`word${asked.length}`]);
  expect(new Set(asked.map(({ seed }) => seed)).size).toBe(1);
});

it("asks for no more words once it is stopped, and drops late ones", async () => {
  let arrive: (words: string[]) => void = () => {};
  const sample = vi.fn(() => new Promise<string[]>((resolve) => (arrive = resolve)));
  void live.start(sample);
  live.stop();
  arrive(["late"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(shown()).toEqual([]);
  expect(sample).toHaveBeenCalledTimes(1);
});

it("takes at most a tenth of the training's time, and goes on after a failure", async () => {
  let calls = 0;
  void live.start(async () => {
    calls++;
    if (calls === 1) throw new Error("busy");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return ["emma"];
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(shown()).toEqual(["emma"]);
  expect(calls - 1).toBeLessThanOrEqual(7);
  expect(calls - 1).toBeGreaterThanOrEqual(5);
});

it("does not delay the second words by the loading time of the first", async () => {
  let calls = 0;
  void live.start(async () => {
    calls++;
    await new Promise((resolve) => setTimeout(resolve, calls === 1 ? 5000 : 10));
    return [`word${calls}`];
  });
  await vi.advanceTimersByTimeAsync(6000);
  expect(shown()).not.toEqual(["word1"]);
});

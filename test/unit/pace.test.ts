/** The reported speed of a training if the clock stands still, goes backwards, or jumps over a machine's sleep. */
import { afterEach, expect, test, vi } from "vitest";
import type { Progress } from "../../src/types";
import { buildDataset } from "../../worker/data/dataset";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { checkTrainOptions } from "../../worker/options";
import { now, Pace } from "../../worker/training/pace";
import { Training } from "../../worker/training/training";

const HOURS = 3_600_000;

/** The browser's clock, in ms; tests set it. */
let time = 0;
function takeClock() {
  time = 1000;
  vi.spyOn(performance, "now").mockImplementation(() => time);
}
afterEach(() => vi.restoreAllMocks());

test("the clock goes on if the browser's goes backwards", () => {
  takeClock();
  const start = now();
  time += 5;
  expect(now() - start).toBe(5);
  time -= 8 * HOURS;
  expect(now() - start).toBe(5);
  time += 7;
  expect(now() - start).toBe(12);
});

/** Adds chunks of 10 steps, each after this many ms, and returns the speed after each. */
function speeds(...milliseconds: number[]): number[] {
  takeClock();
  const pace = new Pace();
  return milliseconds.map((ms) => {
    time += ms;
    pace.add(10);
    return pace.stepsPerSecond();
  });
}

test("a sleep of 8 hours does not change the speed", () => {
  expect(speeds(50, 50, 50, 8 * HOURS, 50, 50)).toEqual([200, 200, 200, 200, 200, 200]);
});

test("a sleep in the first chunk is left out as soon as a second one shows it", () => {
  expect(speeds(8 * HOURS, 50, 50).slice(1)).toEqual([200, 200]);
});

test("a model with slow steps has a low speed", () => {
  // Ten steps in 20 s.
  expect(speeds(20_000, 20_000, 20_000)).toEqual([0.5, 0.5, 0.5]);
  // If a machine gets slow, for example by throttling, the speed shows it after two chunks.
  expect(speeds(50, 50, 20_000, 20_000, 20_000).at(-1)).toBe(0.5);
});

test("the speed follows a change within about a second", () => {
  const fast = Array.from({ length: 40 }, () => 50);
  const slow = Array.from({ length: 12 }, () => 100);
  expect(speeds(...fast, ...slow).at(-1)).toBe(100);
});

const settings = checkTrainOptions({ steps: 2000, batchSize: 4, model: { hidden: 4, embedding: 2 } })();
const dataset = buildDataset("emma\nolivia\nava", settings);
const network = buildNetwork(architecture(settings.model), dataset.vocabulary.size);

/** How far the browser's clock moves from one chunk to the next, ms. */
const clocks: Readonly<Record<string, (chunk: number) => number>> = {
  "jumps over 8 hours": (chunk) => (chunk === 9 ? 8 * HOURS : 60),
  "jumps in each chunk": () => 8 * HOURS,
  "goes back 8 hours": (chunk) => (chunk === 9 ? -8 * HOURS : 60),
  "goes only backwards": () => -60,
  "stands still": () => 0,
  "stands still and jumps": (chunk) => (chunk % 7 === 0 ? HOURS : 0),
};

test.each(Object.entries(clocks))(
  "a training ends and reports plausible numbers if the clock %s",
  async (_, advance) => {
    takeClock();
    const progress: Progress[] = [];
    let chunks = 0;
    const training = new Training(
      {
        vocabulary: dataset.vocabulary,
        network,
        parameters: initialParameters(network, 1),
        step: 0,
        recipe: settings,
      },
      dataset,
      {
        evalEvery: 500,
        sampleEvery: 0,
        notices: [],
        openEngine: () => expect.unreachable(),
        evaluate: async () => ({ train: 1, validation: 2 }),
        sample: async () => [],
        onProgress: (each) => progress.push(each),
        others: () => undefined,
      },
    );
    await training.run({
      backend: "wasm",
      device: "test",
      async run(_, rates) {
        time += advance(++chunks);
        return new Float32Array(rates.length);
      },
      read: async () => ({ parameters: new Map() }),
      write: async () => {},
      dispose() {},
    });
    expect(training.checkpoint.step).toBe(2000);
    expect(progress.filter(({ evaluation }) => evaluation)).toHaveLength(4);
    for (const { step, stepsPerSecond, secondsLeft } of progress) {
      expect(Number.isFinite(stepsPerSecond) && stepsPerSecond > 0, `${stepsPerSecond} at ${step}`).toBe(
        true,
      );
      expect(Number.isFinite(secondsLeft) && secondsLeft >= 0, `${secondsLeft} at ${step}`).toBe(true);
    }
    expect(progress.at(-1)?.secondsLeft).toBe(0);
  },
);

test("after a sleep, secondsLeft is as before it", async () => {
  const left = (advance: (chunk: number) => number) =>
    speeds(...Array.from({ length: 20 }, (_, i) => advance(i))).at(-1);
  expect(left((chunk) => (chunk === 9 ? 8 * HOURS : 60))).toBe(left(() => 60));
});

/**
 * The part of `npm run torture` that fits a test: cases of each kind of fault, and a few kills, of a fixed seed.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { casesOf, formatCase, parseCase, rehearse, runCase, widely } from "./faults";
import { fillStorage, freeze, type KillName, moments, runKill } from "./kills";
import { openPage } from "./openPage";
import { shuffled } from "./random";

const SEED = 17;
/** Cases of each scenario. */
const CASES = 9;

let opened: Awaited<ReturnType<typeof openPage.chromium>>;
beforeAll(async () => {
  opened = await openPage.chromium();
});
afterAll(() => opened?.close());

/** A few of the scenarios: those that reach every kind of operation but the GPU's, which compiles for seconds. */
const scenarios = [
  "train-reports",
  "train-gru",
  "sample-window",
  "score-word",
  "save-window",
  "load",
  "cold-train",
];

test.each(scenarios)(
  "%s: whatever fails, it ends clearly, nothing is lost and nothing left over",
  async (name) => {
    const rehearsal = await rehearse(opened, name);
    const cases = widely(shuffled(casesOf(name, rehearsal), SEED)).slice(0, CASES);
    const bad: string[] = [];
    let fired = 0;
    for (const each of cases) {
      const { report } = await runCase(opened, each);
      if (report.fired) fired++;
      if (report.faults.length > 0) bad.push(`${formatCase(each)}: ${report.faults.join("; ")}`);
      // Each further case would only wait in vain.
      if (report.outcome === "broken") break;
    }
    expect(bad).toEqual([]);
    // An operation may come less often than in the rehearsal, such as the reports of a training, which go by time.
    expect(fired).toBeGreaterThan(CASES / 3);
  },
);

/** Faults that did not hold once. */
const mended = [
  "stop:post.refused:2",
  "train-reports:receive.unreadable+:3",
  "load:receive.unreadable+:1",
  "cold-next:allocate.refused+:1",
  "cold-train-tfjs:fetch.cut+:1",
  "cold-train-tfjs:fetch.cut+:2",
];

test.each(mended)("%s holds", async (name) => {
  const { report } = await runCase(opened, parseCase(name));
  expect(report).toMatchObject({ fired: true, faults: [] });
});

const kills: [KillName, number][] = [
  ["abortTraining", 10],
  ["abortSampling", 6],
  ["killWorker", 2],
  ["loseGPU", 1],
];

test.each(kills)("%s: what follows is as if nothing had happened", async (name, count) => {
  const bad: string[] = [];
  let reached = 0;
  for (const id of moments(name, count, SEED)) {
    const { kill } = await runKill(opened, id);
    if (kill.reached) reached++;
    if (kill.faults.length > 0) bad.push(`${id}: ${kill.faults.join("; ")}`);
  }
  expect(bad).toEqual([]);
  // A moment is a fraction of the time that the call took before: one alone may come too late.
  if (count > 2) expect(reached).toBeGreaterThan(0);
});

test("a page that is frozen, or out of storage, goes on", async () => {
  expect(await freeze(opened.chromium)).toEqual({ reached: true, faults: [] });
  expect(await fillStorage(opened.chromium)).toEqual({ reached: true, faults: [] });
});

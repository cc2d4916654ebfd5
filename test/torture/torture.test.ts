/**
 * The part of `npm run torture` that fits a test: one case of each kind of fault, and a few kills, of a fixed seed.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { casesOf, formatCase, rehearse, runCase, widely } from "./faults";
import { fillStorage, freeze, moments, runKill } from "./kills";
import { type OpenedPage, openPage } from "./openPage";
import { shuffled } from "./random";

const SEED = 17;
/** Cases of each scenario. */
const CASES = 9;

let opened: OpenedPage;
beforeAll(async () => {
  opened = await openPage();
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
    }
    expect(bad).toEqual([]);
    // An operation may come less often than in the rehearsal, such as the reports of a training, which go by time.
    expect(fired).toBeGreaterThan(CASES / 2);
  },
);

test("trainings and samplings that are aborted, and workers that are killed, go on bit for bit", async () => {
  const ids = [
    ...moments("abortTraining", 10, SEED),
    ...moments("abortSampling", 6, SEED),
    ...moments("killWorker", 2, SEED),
  ];
  const bad: string[] = [];
  let reached = 0;
  for (const id of ids) {
    const { kill } = await runKill(opened, id);
    if (kill.reached) reached++;
    if (kill.faults.length > 0) bad.push(`${id}: ${kill.faults.join("; ")}`);
  }
  expect(bad).toEqual([]);
  expect(reached).toBeGreaterThan(ids.length / 4);
});

test("a page that is frozen, or out of storage, goes on", async () => {
  expect(await freeze(opened)).toEqual({ reached: true, faults: [] });
  expect(await fillStorage(opened)).toEqual({ reached: true, faults: [] });
});

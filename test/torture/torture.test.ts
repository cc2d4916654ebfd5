/**
 * The part of `npm run torture` that fits a test: cases of each kind of fault, and a few kills, of a fixed seed. In
 * Chromium; firefox.test.ts has a smaller part.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectCaseHolds, expectKillsHold, expectScenarioHolds } from "./checks";
import { fillStorage, freeze, type KillName } from "./kills";
import { openPage } from "./openPage";

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

test.each(scenarios)("%s: whatever fails, it ends clearly, nothing is lost and nothing left over", (name) =>
  expectScenarioHolds(opened, name, { count: CASES, seed: SEED }),
);

/** Faults that did not hold once. */
const mended = [
  "stop:post.refused:2",
  "train-reports:receive.unreadable+:3",
  "train-gru:receive.unreadable+:3",
  "load:receive.unreadable:3",
  "load:receive.unreadable+:1",
  "cold-next:allocate.refused+:1",
  "cold-train-tfjs:fetch.cut+:1",
  "cold-train-tfjs:fetch.cut+:2",
  "cold-train-tfjs:adapter.refused:1",
];

test.each(mended)("%s holds", (name) => expectCaseHolds(opened, name));

const kills: [KillName, number][] = [
  ["abortTraining", 10],
  ["abortSampling", 6],
  ["killWorker", 2],
  ["loseGPU", 1],
];

test.each(kills)("%s: what follows is as if nothing had happened", (name, count) =>
  expectKillsHold(opened, name, { count, seed: SEED }),
);

test("a page that is frozen, or out of storage, goes on", async () => {
  expect(await freeze(opened.chromium)).toEqual({ reached: true, faults: [] });
  expect(await fillStorage(opened.chromium)).toEqual({ reached: true, faults: [] });
});

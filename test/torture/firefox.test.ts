/** A small part of `npm run torture -- --browser firefox`, of a fixed seed. */
import { afterAll, beforeAll, test } from "vitest";
import { expectCaseHolds, expectKillsHold, expectScenarioHolds } from "./checks";
import { type OpenedPage, openPage } from "./openPage";

const SEED = 17;
/** Cases of each scenario. */
const CASES = 4;

let opened: OpenedPage;
beforeAll(async () => {
  opened = await openPage.firefox();
});
afterAll(() => opened?.close());

/** Together they have every kind of operation that Firefox has. */
const scenarios = ["train-reports", "sample-window", "save-window", "cold-train"];

test.each(scenarios)("%s: whatever fails, it ends clearly, nothing is lost and nothing left over", (name) =>
  expectScenarioHolds(opened, name, { count: CASES, seed: SEED }),
);

/** Faults that did not hold once. The second one did not after the first: it asked the wrong worker what it holds. */
const mended = [
  "next-word:post.refused+:2",
  "cold-next:receive.unreadable:2",
  "cold-train-auto:receive.unreadable+:3",
];

test.each(mended)("%s holds", (name) => expectCaseHolds(opened, name));

test("abortTraining: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "abortTraining", { count: 5, seed: SEED }));
test("abortSampling: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "abortSampling", { count: 5, seed: SEED }));
test("killWorker: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "killWorker", { count: 1, seed: SEED }));

/** A small part of `npm run torture -- --browser firefox`, of a fixed seed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectKillsHold, expectScenarioHolds } from "./checks";
import { parseCase, runCase } from "./faults";
import { type OpenedPage, openPage } from "./openPage";

const SEED = 17;
/** Cases of each scenario. */
const CASES = 5;

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

test("a worker that ends in a fault is not confused with the next one", async () => {
  for (const name of ["next-word:post.refused+:2", "cold-next:receive.unreadable:2"]) {
    const { report } = await runCase(opened, parseCase(name));
    expect(report, name).toMatchObject({ fired: true, faults: [] });
  }
});

test("abortTraining: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "abortTraining", { count: 5, seed: SEED }));
test("abortSampling: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "abortSampling", { count: 5, seed: SEED }));
test("killWorker: what follows is as if nothing had happened", () =>
  expectKillsHold(opened, "killWorker", { count: 1, seed: SEED }));

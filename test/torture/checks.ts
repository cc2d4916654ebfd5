/** What the tests of torture check in each browser: a few cases and kills of a seed. */
import { expect } from "vitest";
import { casesOf, formatCase, rehearse, runCase, widely } from "./faults";
import { type KillName, moments, runKill } from "./kills";
import type { OpenedPage } from "./openPage";
import { shuffled } from "./random";

/** Runs so many cases of a scenario, of as many kinds as possible. */
export async function expectScenarioHolds(
  opened: OpenedPage,
  name: string,
  { count, seed }: { count: number; seed: number },
): Promise<void> {
  const rehearsal = await rehearse(opened, name);
  const cases = widely(shuffled(casesOf(name, rehearsal), seed)).slice(0, count);
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
  expect(fired).toBeGreaterThan(count / 3);
}

/** Runs so many kills of a kind. */
export async function expectKillsHold(
  opened: OpenedPage,
  name: KillName,
  { count, seed }: { count: number; seed: number },
): Promise<void> {
  const bad: string[] = [];
  let reached = 0;
  for (const id of moments(name, count, seed)) {
    const { kill } = await runKill(opened, id);
    if (kill.reached) reached++;
    if (kill.faults.length > 0) bad.push(`${id}: ${kill.faults.join("; ")}`);
  }
  expect(bad).toEqual([]);
  // A moment is a fraction of the time that the call took before: one alone may come too late.
  if (count > 2) expect(reached).toBeGreaterThan(0);
}

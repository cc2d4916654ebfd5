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

/** Times that a kill is tried in all, as a multiple of `count`, if every one comes after the end of its call. */
const MOST_TRIES = 5;

/** Runs so many kills of a kind, and more if none of them comes in time: a machine may be slow, and then fast. */
export async function expectKillsHold(
  opened: OpenedPage,
  name: KillName,
  { count, seed }: { count: number; seed: number },
): Promise<void> {
  const bad: string[] = [];
  let reached = 0;
  for (const [i, id] of moments(name, count * MOST_TRIES, seed).entries()) {
    if (i >= count && reached > 0) break;
    const { kill } = await runKill(opened, id);
    if (kill.reached) reached++;
    if (kill.faults.length > 0) bad.push(`${id}: ${kill.faults.join("; ")}`);
  }
  expect(bad).toEqual([]);
  expect(reached).toBeGreaterThan(0);
}

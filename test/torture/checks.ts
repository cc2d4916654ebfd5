/** What the tests of torture check in each browser: a few cases and kills of a seed. */
import { expect } from "vitest";
import { casesOf, formatCase, parseCase, rehearse, runCase, widely } from "./faults";
import { type KillName, moments, runKill } from "./kills";
import type { OpenedPage } from "./openPage";
import { shuffled } from "./random";

/** Runs one case by its name. Its fault must come. */
export async function expectCaseHolds(opened: OpenedPage, name: string): Promise<void> {
  const { report } = await runCase(opened, parseCase(name));
  expect(report).toMatchObject({ fired: true, faults: [] });
}

/** Runs `count` cases of a scenario, of as many kinds as possible. */
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

/** If no kill comes before the end of its call, up to this many times `count` are tried. */
const MOST_TRIES = 5;

/** Runs `count` kills of a kind; more if none of them comes in time, because the speed of a machine varies. */
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

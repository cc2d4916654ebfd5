/**
 * Every operation made to fail in turn, as SQLite's tests do it: a scenario runs once to count its operations, then
 * again for each of them, which fails. A case is named `scenario:operation.manner:n`.
 */
import { type Fault, faults, formatFault, type Operation, parseFault } from "./browser/control";
import type { Rehearsal, Report } from "./browser/page";
import { type OpenedPage, within } from "./openPage";

/** Operations of which only so many cases are made, evenly spread: they are many and alike. */
const MOST = 40;
/** A fault that lasts begins at one of the first operations. */
const MOST_LASTING = 3;

/** How long a rehearsal or a case may take in all, ms: a software GPU compiles twice in it. */
const CASE_MS = 150_000;

export interface Case {
  readonly scenario: string;
  readonly fault: Fault;
}

export interface Finding extends Case {
  readonly report: Report;
}

export function formatCase({ scenario, fault }: Case): string {
  return `${scenario}:${formatFault(fault)}`;
}

/** @throws Error for what is no case */
export function parseCase(text: string): Case {
  const at = text.indexOf(":");
  return { scenario: text.slice(0, at), fault: parseFault(text.slice(at + 1)) };
}

/** All cases of a scenario, by what it counted. */
export function casesOf(scenario: string, { counts }: Rehearsal): Case[] {
  return (Object.entries(counts) as [Operation, number][]).flatMap(([operation, count]) => {
    const each = Array.from({ length: Math.min(count, MOST) }, (_, i) =>
      count <= MOST ? i + 1 : 1 + Math.round((i * (count - 1)) / (MOST - 1)),
    );
    return faults[operation].flatMap((manner) => [
      ...each.map((n) => ({ scenario, fault: { operation, manner, n, forever: false } })),
      ...each
        .slice(0, MOST_LASTING)
        .map((n) => ({ scenario, fault: { operation, manner, n, forever: true } })),
    ]);
  });
}

/** Counts the operations of a scenario without a fault. */
export function rehearse({ page }: OpenedPage, scenario: string): Promise<Rehearsal> {
  const rehearsing = page.evaluate((name) => globalThis.torture.rehearse(name), scenario);
  return within(CASE_MS, rehearsing, `the rehearsal of ${scenario}`);
}

/** Runs a case. One that breaks the page itself is a finding, too. */
export async function runCase(opened: OpenedPage, { scenario, fault }: Case): Promise<Finding> {
  try {
    const running = opened.page.evaluate(([name, given]) => globalThis.torture.run(name, given), [
      scenario,
      fault,
    ] as const);
    const report = await within(CASE_MS, running, "the case with all its checks");
    return { scenario, fault, report };
  } catch (error) {
    const what = `the test itself fails: ${error instanceof Error ? error.message : error}`;
    return { scenario, fault, report: { fired: true, outcome: "broken", message: "", faults: [what] } };
  }
}

/** Cases in an order of which any beginning has the most kinds: first one of each scenario and fault. */
export function widely(cases: readonly Case[]): Case[] {
  const seen = new Map<string, number>();
  const ranked = cases.map((each) => {
    const { operation, manner } = each.fault;
    const kind = `${each.scenario}:${operation}.${manner}`;
    const rank = seen.get(kind) ?? 0;
    seen.set(kind, rank + 1);
    return { each, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ each }) => each);
}

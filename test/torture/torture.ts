/**
 * `npm run torture`: every operation of every call made to fail in turn, in a real browser.
 *
 *     npm run torture -- [--browser chromium|firefox] [--minutes 10] [--seed N] [--scenario PREFIX,PREFIX|kills] [--only CASE,CASE]
 *
 * The prefixes may also be of the kills' names: `abort`, `kill`, `lose`.
 */
import { parseArgs } from "node:util";
import { operations } from "./browser/control";
import type { Kill } from "./browser/kills";
import { type Case, casesOf, type Finding, formatCase, parseCase, rehearse, runCase, widely } from "./faults";
import { fillStorage, freeze, type KillName, killCounts, moments, runKill } from "./kills";
import { type OpenedPage, openPage } from "./openPage";
import { shuffled } from "./random";

const browsers = ["chromium", "firefox"] as const;

function options(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      browser: { type: "string", default: "chromium" },
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      scenario: { type: "string", default: "" },
      only: { type: "string" },
    },
  });
  const browser = browsers.find((name) => name === values.browser);
  if (!browser) throw new Error(`--browser takes ${browsers.join(" or ")}, not ${values.browser}.`);
  return { ...values, browser, minutes: Number(values.minutes), seed: Number(values.seed) };
}

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { browser, minutes, seed, scenario: prefix, only } = options(args);
  const killsFollow = !only && prefix === "";
  const start = performance.now();
  const end = start + minutes * 60_000;
  const opened = await openPage[browser]();
  const findings: Finding[] = [];
  try {
    if (only?.includes("@") || killNames(prefix).length > 0) {
      if (!(await killing(opened, seed, end, { prefix, only }))) process.exitCode = 1;
      return;
    }
    const names = await opened.page.evaluate(() => globalThis.torture.names, undefined);
    const wanted = only
      ? [...new Set(only.split(",").map((each) => parseCase(each).scenario))]
      : names.filter((name) => prefix.split(",").some((each) => name.startsWith(each)));
    if (wanted.length === 0)
      throw new Error(`No scenario and no kill has a name that begins with "${prefix}".`);
    const lacking = await lackingIn(opened);
    const cases: Case[] = [];
    const counted = new Set<string>();
    for (const name of wanted) {
      if (lacking.includes(name)) {
        console.log(`${name}: this browser has no WebGPU`);
        continue;
      }
      const rehearsal = await rehearse(opened, name);
      const counts = Object.entries(rehearsal.counts);
      for (const [operation] of counts) counted.add(operation);
      const each = counts.map(([operation, count]) => `${operation} ${count}`);
      console.log(`${name}: ${rehearsal.ms.toFixed(0)} ms; ${each.join(", ")}`);
      cases.push(...casesOf(name, rehearsal));
    }
    const unused = operations.filter((operation) => !counted.has(operation));
    if (unused.length > 0) console.log(`Never called, so they cannot fail: ${unused.join(", ")}`);
    for (const each of only ? only.split(",").map(parseCase) : widely(shuffled(cases, seed))) {
      // The kills have the rest of the time.
      if (performance.now() > (killsFollow ? start + 0.7 * (end - start) : end)) break;
      const finding = await runCase(opened, each);
      findings.push(finding);
      const { fired, outcome, message, faults } = finding.report;
      console.log(`${formatCase(each)} ${fired ? outcome : "not reached"}${message ? `: ${message}` : ""}`);
      for (const fault of faults) console.log(`    FAULT ${fault}`);
      if (outcome === "broken") await opened.reload();
    }
    summarise(findings, cases.length);
    if (killsFollow && !(await killing(opened, seed, end))) process.exitCode = 1;
  } finally {
    await opened.close();
  }
  if (findings.some(({ report }) => report.faults.length > 0)) process.exitCode = 1;
}

/** Names of the scenarios and kills that this browser cannot run. */
function lackingIn({ page }: OpenedPage): Promise<string[]> {
  return page.evaluate(() => globalThis.torture.lacking(), undefined);
}

/** The kills that prefixes stand for: `kills` for all of them. */
function killNames(prefixes: string): KillName[] {
  const names = Object.keys(killCounts) as KillName[];
  if (prefixes === "kills") return names;
  return names.filter((name) =>
    prefixes.split(",").some((prefix) => prefix !== "" && name.startsWith(prefix)),
  );
}

/** Kills, in turn of their kinds until the time is over; gives whether all held. */
async function killing(
  opened: OpenedPage,
  seed: number,
  end: number,
  { prefix = "kills", only = "" }: { prefix?: string; only?: string | undefined } = {},
): Promise<boolean> {
  let holds = true;
  const say = (id: string, { reached, step, faults }: Kill) => {
    console.log(
      `${id} ${reached ? "reached" : "not reached"}${step === undefined ? "" : ` at step ${step}`}`,
    );
    for (const fault of faults) console.log(`    FAULT ${fault}`);
    if (faults.length > 0) holds = false;
  };
  if (only.includes("@")) {
    for (const each of only.split(",")) {
      const { id, kill } = await runKill(opened, each);
      say(id, kill);
    }
    return holds;
  }
  if (prefix === "kills") {
    const { chromium } = opened;
    if (chromium) {
      say("freeze", await freeze(chromium));
      say("fillStorage", await fillStorage(chromium));
    } else console.log("freeze, fillStorage: only Chromium's DevTools protocol can do this");
  }
  const lacking = await lackingIn(opened);
  const all = killNames(prefix).flatMap((name) => {
    if (lacking.includes(name)) {
      console.log(`${name}: this browser has no WebGPU`);
      return [];
    }
    const ids = moments(name, killCounts[name], seed);
    return ids.map((each, i) => ({ each, rank: i / ids.length }));
  });
  const counts = new Map<string, number>();
  for (const { each } of all.sort((a, b) => a.rank - b.rank)) {
    if (performance.now() > end) break;
    const finding = await runKill(opened, each);
    say(finding.id, finding.kill);
    const [name = ""] = each.split("@");
    const what = `${name} ${finding.kill.reached ? "reached" : "too late"}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  console.log([...counts].map(([what, count]) => `${what}: ${count}`).join(", "));
  return holds;
}

/** A table: by operation, how many faults came and what came of them. */
function summarise(findings: readonly Finding[], cases: number): void {
  const rows = new Map<string, Map<string, number>>();
  const came = findings.filter(({ report }) => report.fired);
  for (const { fault, report } of came) {
    const row = rows.get(fault.operation) ?? new Map<string, number>();
    rows.set(fault.operation, row);
    const what = report.faults.length > 0 ? "FAULT" : report.outcome;
    row.set(what, (row.get(what) ?? 0) + 1);
  }
  console.log(`\n${came.length} faults came, of ${findings.length} cases run and ${cases} in all.`);
  for (const [operation, row] of [...rows].sort(([a], [b]) => a.localeCompare(b)))
    console.log(
      `${operation.padEnd(12)} ${[...row]
        .sort(([, a], [, b]) => b - a)
        .map(([what, n]) => `${what} ${n}`)
        .join(", ")}`,
    );
  const bad = findings.filter(({ report }) => report.faults.length > 0);
  console.log(`${bad.length} cases do not hold${bad.length > 0 ? "; repeat one with --only:" : "."}`);
  for (const finding of bad) console.log(`  ${formatCase(finding)}  ${finding.report.faults.join("; ")}`);
}

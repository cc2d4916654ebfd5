/** Kills at random moments of a seed, and a page that is frozen or out of storage. */
import type { Kill } from "./browser/kills";
import type { OpenedPage } from "./openPage";
import { randomNumbers } from "./random";

export type KillName = "abortTraining" | "abortSampling" | "killWorker" | "loseGPU";

/** How many of each belong to a full run. */
export const killCounts: Readonly<Record<KillName, number>> = {
  abortTraining: 250,
  abortSampling: 250,
  killWorker: 50,
  loseGPU: 12,
};

export interface KillFinding {
  /** `abortTraining@0.123456`. */
  readonly id: string;
  readonly kill: Kill;
}

/** The moments of a kill, 0 to 1, as a seed has them. */
export function moments(name: KillName, count: number, seed: number): string[] {
  const random = randomNumbers(seed + name.length);
  return Array.from({ length: count }, () => `${name}@${random().toFixed(6)}`);
}

/** Runs one, by its id. */
export async function runKill({ page }: OpenedPage, id: string): Promise<KillFinding> {
  const [name = "", moment] = id.split("@");
  try {
    const kill = await page.evaluate(([kind, at]) => globalThis.torture.kill(kind as KillName, at), [
      name,
      Number(moment),
    ] as const);
    return { id, kill };
  } catch (error) {
    return { id, kill: { reached: true, faults: [`it fails: ${error}`] } };
  }
}

/** Freezes the page for a second in mid-training, as a browser does with a tab it wants no more of. */
export async function freeze({ page }: OpenedPage): Promise<Kill> {
  const client = await page.context().newCDPSession(page);
  const training = page.evaluate(() => globalThis.torture.trainWatched());
  await page.waitForFunction(() => globalThis.torture.watched.steps > 0);
  await client.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await client.send("Page.setWebLifecycleState", { state: "active" });
  return training;
}

/** Leaves the origin no room, and then some again. */
export async function fillStorage({ page }: OpenedPage): Promise<Kill> {
  const client = await page.context().newCDPSession(page);
  const origin = new URL(page.url()).origin;
  await client.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  const refused = await page.evaluate(() => globalThis.torture.saveOnce());
  await client.send("Storage.overrideQuotaForOrigin", { origin });
  const saved = await page.evaluate(() => globalThis.torture.saveOnce());
  const faults = [
    ...(refused === "STORAGE_FAILED" ? [] : [`without room, save gives ${refused}`]),
    ...(saved === "saved" ? [] : [`with room again, save gives ${saved}`]),
  ];
  return { reached: true, faults };
}

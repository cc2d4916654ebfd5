/** Kills at random moments of a seed, and a page that is frozen or out of storage. */
import type { Kill } from "./browser/kills";
import { type Chromium, type OpenedPage, preparePage, within } from "./openPage";
import { randomNumbers } from "./random";

export type KillName =
  | "abortTraining"
  | "abortSampling"
  | "killWorker"
  | "killStart"
  | "loseGPU"
  | "loseTfjsGPU";

/** How many of each belong to a full run. */
export const killCounts: Readonly<Record<KillName, number>> = {
  abortTraining: 250,
  abortSampling: 250,
  killWorker: 60,
  killStart: 10,
  loseGPU: 30,
  loseTfjsGPU: 30,
};

/** How long a kill may take with all that follows, ms: a software GPU compiles twice in it. */
const KILL_MS = 150_000;
/** How long a training of a few seconds may take, or a save, ms. */
const CALL_MS = 60_000;

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
    const killing = page.evaluate(([kind, at]) => globalThis.torture.kill(kind as KillName, at), [
      name,
      Number(moment),
    ] as const);
    return { id, kill: await within(KILL_MS, killing, "the kill and what follows") };
  } catch (error) {
    return { id, kill: { reached: true, faults: [`it fails: ${error}`] } };
  }
}

/** Freezes the page for a second in mid-training, as a browser does with a tab it wants no more of. */
export async function freeze({ page }: Chromium): Promise<Kill> {
  const client = await page.context().newCDPSession(page);
  const training = page.evaluate(() => globalThis.torture.trainWatched());
  training.catch(() => {});
  await page.waitForFunction(() => globalThis.torture.watched.steps > 0);
  await client.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await client.send("Page.setWebLifecycleState", { state: "active" });
  return within(CALL_MS, training, "the training in the frozen page");
}

/** Leaves the origin no room, and then some again. In a storage of its own: Chromium remembers the room for a while. */
export async function fillStorage({ browser, page: first }: Chromium): Promise<Kill> {
  const { origin } = new URL(first.url());
  const context = await browser.newContext();
  const page = await context.newPage();
  await preparePage(page, origin);
  const client = await context.newCDPSession(page);
  const save = () =>
    within(
      CALL_MS,
      page.evaluate(() => globalThis.torture.saveOnce()),
      "a save",
    );
  await client.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  const refused = await save();
  await client.send("Storage.overrideQuotaForOrigin", { origin });
  const saved = await save();
  await context.close();
  const faults = [
    ...(refused === "STORAGE_FAILED" ? [] : [`without room, save gives ${refused}`]),
    ...(saved === "saved" ? [] : [`with room again, save gives ${saved}`]),
  ];
  return { reached: true, faults };
}

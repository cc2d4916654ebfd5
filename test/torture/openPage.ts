/** Serves the built package with the faults in front of its worker, and opens the page under test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright";
import { build } from "vite";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { launchFirefox } from "../../scripts/firefox.mjs";
import { dist, isolation } from "../e2e/builtSite";
import { serve } from "../server";

const names = fileURLToPath(new URL("../../demo/words/names.txt", import.meta.url));

/** Words of the scenarios: few, so that a case takes milliseconds. */
export const words = readFileSync(names, "utf8").split("\n").slice(0, 60);

/** A tab with the page under test, in any browser. */
export interface TorturePage {
  goto(url: string): Promise<unknown>;
  /** Runs a function in the page. Only its source is sent, so it can use only its argument and the page's globals. */
  evaluate<A, R>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
}

export interface OpenedPage {
  readonly page: TorturePage;
  /** For what only the DevTools protocol of Chromium does. */
  readonly chromium?: Chromium;
  /** Starts over with a new page, after one that hangs or crashed. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

export interface Chromium {
  readonly browser: Browser;
  readonly page: Page;
}

/** One script of `browser/`, with what it imports. */
async function bundle(name: "page" | "worker"): Promise<string> {
  const entry = fileURLToPath(new URL(`browser/${name}.ts`, import.meta.url));
  const output = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry, formats: ["iife"], name: "script" },
    },
  });
  for (const { output: files } of [output].flat() as { output: { code?: string }[] }[])
    for (const { code } of files) if (code) return code;
  throw new Error(`Nothing was built of ${entry}.`);
}

/**
 * Waits for something, but not for ever.
 *
 * @throws Error that says what it waited for
 */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes more than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long the page may take to make the files that the scenarios begin with, ms. */
const PREPARE_MS = 60_000;
/** How long the browser may take to end, ms. */
const END_MS = 20_000;

/** Opens the page under test in a tab, with the files that its scenarios begin with. */
export async function preparePage(page: TorturePage, origin: string): Promise<void> {
  await page.goto(origin);
  const preparing = page.evaluate((list) => globalThis.torture.prepare(list), words);
  await within(PREPARE_MS, preparing, "to prepare the page");
}

/** Serves the page under test, and the package with a worker in which everything can fail. */
async function serveTorture(): Promise<{ origin: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "makemore-torture-"));
  const shipped = readFileSync(`${dist}makemore-web/worker.js`, "utf8");
  const script = shipped.replaceAll(/\bimport\(/g, "tortureImport(");
  if (script === shipped)
    throw new Error("The worker imports nothing, and its chunks cannot be made to fail.");
  const worker = join(folder, "worker.js");
  writeFileSync(worker, `${await bundle("worker")}\n${script}`);
  const html = `<!doctype html><title>torture</title><script type="module">${await bundle("page")}</script>`;
  const { origin, close } = await serve(
    { "/dist/": dist, "/dist/makemore-web/worker.js": worker },
    isolation,
    { "/": html },
  );
  return {
    origin,
    async close() {
      await within(END_MS, close(), "to end the server");
      rmSync(folder, { recursive: true });
    },
  };
}

async function openChromium(): Promise<OpenedPage & { readonly chromium: Chromium }> {
  const server = await serveTorture();
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  const page = await (await browser.newContext()).newPage();
  const reload = () => preparePage(page, server.origin);
  await reload();
  return {
    page,
    chromium: { browser, page },
    reload,
    async close() {
      await within(END_MS, browser.close(), "to end the browser");
      await server.close();
    },
  };
}

async function openFirefox(): Promise<OpenedPage> {
  const server = await serveTorture();
  const browser = await launchFirefox({ scheme: "light", reducedMotion: false });
  const tab = await browser.newPage();
  const page: TorturePage = {
    goto: (url) => tab.goto(url),
    evaluate: async <A, R>(run: (argument: A) => R | Promise<R>, argument: A) =>
      (await tab.evaluate(`(${run})(${JSON.stringify(argument)})`)) as R,
  };
  const reload = () => preparePage(page, server.origin);
  await reload();
  return {
    page,
    reload,
    async close() {
      await within(END_MS, browser.close(), "to end the browser");
      await server.close();
    },
  };
}

/** By the name of the browser. */
export const openPage = { chromium: openChromium, firefox: openFirefox } as const;

declare global {
  var torture: import("./browser/page").Torture;
}

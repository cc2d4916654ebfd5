/** Serves the built package from a plain host and opens it in Chromium, as a page without a bundler does. */
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";

/** What `npm run build` wrote. */
export const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Headers of a cross-origin isolated page: for shared memory, and for the browser to measure memory. */
export const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

export interface BuiltSite {
  readonly browser: Browser;
  readonly server: StaticServer;
  /** Opens the page, in a context of its own unless one is given, and waits until its script has run. */
  open(context?: BrowserContext): Promise<Page>;
  close(): Promise<void>;
}

/**
 * Serves dist/ and a page, and starts a browser for it.
 *
 * @param script the page's module, which can use `Makemore`; it assigns what the tests need to the global object
 * @param files served in place of those of dist/, by path, such as `/dist/makemore-web/ort.js`
 */
export async function openSite(
  script: string,
  headers: Record<string, string> = {},
  files: Record<string, string> = {},
): Promise<BuiltSite> {
  const html = `<!doctype html><title>test</title><script type="module">
    import { Makemore } from "/dist/index.js";
    ${script}
    globalThis.isReady = true;
  </script>`;
  const server = await serve({ "/dist/": dist, ...files }, headers, { "/": html });
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  return {
    browser,
    server,
    async open(context) {
      const page = await (context ?? browser).newPage();
      await page.goto(server.origin);
      await isReady(page);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Waits until the page's script has run, for example after a reload. */
export async function isReady(page: Page): Promise<void> {
  await page.waitForFunction("globalThis.isReady", undefined, { timeout: 150_000 });
}

/** Runs a function in the page. It can use only its argument, the page's globals, because only its source is sent. */
export function runInPage<Globals, T>(page: Page, run: (globals: Globals) => Promise<T>): Promise<T> {
  return page.evaluate(`(${run})(globalThis)`) as Promise<T>;
}

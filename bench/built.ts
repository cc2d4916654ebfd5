/** Runs the built package in a page as a visitor's browser does: no bundler, `Makemore` on the global object. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright";
import { preview } from "vite";
import type { Makemore, TrainOptions } from "../src";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Builds dist/. */
export function buildPackage(): void {
  const build = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" });
  if (build.status !== 0) throw new Error(`The package does not build:\n${build.stderr}`);
}

/** Serves dist/, and runs `use` on a new page. */
export async function withBuiltPage<T>(browser: Browser, use: (page: Page) => Promise<T>): Promise<T> {
  const server = await preview({
    root,
    configFile: false,
    logLevel: "error",
    build: { outDir: "dist" },
    preview: { port: 0, host: "localhost" },
  });
  const page = await browser.newPage();
  try {
    const origin = server.resolvedUrls?.local[0] ?? "";
    await page.route(origin, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<script type="module">import { Makemore } from "./index.js"; globalThis.Makemore = Makemore;</script>`,
      }),
    );
    await page.goto(origin);
    await page.waitForFunction("globalThis.Makemore");
    return await use(page);
  } finally {
    await page.close();
    await server.close();
  }
}

/** Trains a new `Makemore` on a page of `withBuiltPage`, and returns the duration of each `sample(10)` after it, ms. */
export function timeSamples(
  page: Page,
  words: string | readonly string[],
  options: TrainOptions,
  calls: number,
): Promise<number[]> {
  return page.evaluate(
    async ({ words, options, calls }) => {
      // @ts-expect-error the page's script has put it there
      const mm: Makemore = new globalThis.Makemore({ backend: "wasm" });
      await mm.train(words, options);
      const times: number[] = [];
      while (times.length < calls) {
        const start = performance.now();
        await mm.sample(10);
        times.push(performance.now() - start);
      }
      mm.dispose();
      return times;
    },
    { words, options, calls },
  );
}

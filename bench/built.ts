/** Runs the built package in a page as a visitor's browser does: no bundler, `Makemore` on the global object. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright";
import { preview } from "vite";

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

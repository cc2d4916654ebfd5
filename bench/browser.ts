/** Builds the bench page, serves it, and opens it in Chromium. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright";
import { build, preview } from "vite";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";

/** Files that the engines fetch at run time, by the folder under which the page serves them. */
const served = {
  tfjs: "../node_modules/@tensorflow/tfjs-backend-wasm/dist/",
  ort: "../node_modules/onnxruntime-web/dist/",
};

export interface OpenedPage {
  readonly page: Page;
  /** The browser's name and version. */
  readonly browser: string;
  close(): Promise<void>;
}

/** @param root the page's folder, with its index.html */
export async function openPage(root: string): Promise<OpenedPage> {
  const outDir = await mkdtemp(join(tmpdir(), "makemore-web-bench-"));
  const config = { root, configFile: false, logLevel: "error" } as const;
  await build({
    ...config,
    build: { outDir, target: "esnext", emptyOutDir: true, chunkSizeWarningLimit: Number.POSITIVE_INFINITY },
    worker: { format: "es" },
  });
  for (const [name, folder] of Object.entries(served))
    await symlink(new URL(folder, import.meta.url), join(outDir, name));
  const server = await preview({ ...config, build: { outDir }, preview: { port: 0, host: "localhost" } });
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  await page.goto(server.resolvedUrls?.local[0] ?? "");
  return {
    page,
    browser: `Chromium ${browser.version()}`,
    async close() {
      await browser.close();
      await server.close();
      await rm(outDir, { recursive: true });
    },
  };
}

/**
 * `npm run demo:pictures`: takes the pictures of the built page for the documentation (docs/demo.png, docs/screens/)
 * and for links to it (demo/public/og.png).
 */
import { chromium } from "playwright";
import { preview } from "vite";
import { chromiumArgs, chromiumPath } from "./browsers.mjs";

const server = await preview({ root: "demo", configFile: "demo/vite.config.ts", logLevel: "error" });
const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });

/**
 * Opens the page, trains on a list, and takes pictures.
 *
 * @param {{ width: number, height: number, scheme?: "light" | "dark", list: string, before?: string, during?: string, after?: string }} what
 */
async function take({ width, height, scheme = "light", list, before, during, after }) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  await page.goto(server.resolvedUrls?.local[0] ?? "");
  await page.click(`[data-list=${list}]`);
  await page.waitForFunction(() => document.querySelectorAll("#samples li").length > 0);
  const save = (/** @type {string | undefined} */ path) => path && page.screenshot({ path });
  await save(before);
  if (during || after) {
    await page.click("#train");
    await page.waitForFunction(() => document.querySelectorAll("#live li").length > 0);
    await page.waitForTimeout(800);
    await save(during);
    await page.waitForFunction(
      () => document.querySelector("#train-note")?.textContent?.includes("Loss over"),
      {
        timeout: 120_000,
      },
    );
    await page.waitForFunction(() =>
      /^\d+ words/.test(document.querySelector("#sample-status")?.textContent ?? ""),
    );
    await save(after);
  }
  await page.close();
}

await take({ width: 1200, height: 630, list: "dinosaurs", before: "demo/public/og.png" });
await take({ width: 1280, height: 850, list: "names", after: "docs/demo.png" });
await take({
  width: 1280,
  height: 850,
  scheme: "dark",
  list: "towns-italy",
  after: "docs/screens/desktop-dark.png",
});
await take({
  width: 375,
  height: 667,
  list: "names",
  before: "docs/screens/phone-before.png",
  during: "docs/screens/phone-training.png",
  after: "docs/screens/phone-after.png",
});
await take({ width: 768, height: 1024, list: "plants", after: "docs/screens/tablet.png" });
await browser.close();
await server.close();

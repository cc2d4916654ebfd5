/**
 * `npm run demo:pictures`: takes the pictures of the built page for the documentation (docs/demo.png, docs/screens/)
 * and for links to it (demo/public/og.png).
 */
import { hasTrained, serveDemo, startTraining, waitForWords } from "./demoPage.mjs";

const demo = await serveDemo();

/**
 * Opens the page, trains on a list, and takes pictures.
 *
 * @param {{ width: number, height: number, scheme?: "light" | "dark", list: string, before?: string, during?: string, after?: string }} what
 */
async function take({ width, height, scheme = "light", list, before, during, after }) {
  const page = await demo.open({ viewport: { width, height }, colorScheme: scheme });
  await page.click(`[data-list=${list}]`);
  await waitForWords(page);
  const save = (/** @type {string | undefined} */ path) => path && page.screenshot({ path });
  await save(before);
  if (during || after) {
    await startTraining(page);
    await page.waitForTimeout(800);
    await save(during);
    await page.waitForFunction(hasTrained, undefined, { timeout: 120_000 });
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
await demo.close();

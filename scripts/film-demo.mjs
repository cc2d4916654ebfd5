/**
 * Films a training on the built page for the README: docs/demo.webp, an animation in real time. A part of
 * `npm run demo:pictures`.
 */
import { chromium } from "playwright";
import sharp from "sharp";
import { preview } from "vite";
import { chromiumArgs, chromiumPath } from "./browsers.mjs";

const FILE = "docs/demo.webp";
/** The README is downloaded with every visit of the package's page. */
const MOST_BYTES = 600_000;
/** Milliseconds between two frames, at least, and how long the last one stays. */
const PAUSE = 120;
const LAST = 4000;

const server = await preview({ root: "demo", configFile: "demo/vite.config.ts", logLevel: "error" });
const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
const page = await browser.newPage({ viewport: { width: 1000, height: 860 }, colorScheme: "light" });
await page.goto(server.resolvedUrls?.local[0] ?? "");
await page.waitForFunction(() => document.querySelectorAll("#samples li").length > 0);

/** @type {{ png: Buffer, at: number }[]} */
const frames = [];
const shoot = async () => frames.push({ png: await page.screenshot(), at: performance.now() });
await shoot();
await page.click("#train");
await page.waitForFunction(() => document.querySelectorAll("#live li").length > 0);
const ended = () =>
  page.evaluate(
    () =>
      document.querySelector("#train-note")?.textContent?.includes("Loss over") &&
      /^\d+ words/.test(document.querySelector("#sample-status")?.textContent ?? ""),
  );
while (!(await ended())) {
  await shoot();
  await page.waitForTimeout(PAUSE);
}
await shoot();
await browser.close();
await server.close();

const delay = frames.map(({ at }, i) => Math.round((frames[i + 1]?.at ?? at + LAST) - at));
const { size } = await sharp(
  frames.map(({ png }) => png),
  { join: { animated: true } },
)
  .webp({ delay, loop: 0, quality: 80, minSize: true, mixed: true })
  .toFile(FILE);
console.log(
  `${FILE}: ${frames.length} frames, ${(delay.reduce((a, b) => a + b) / 1000).toFixed(0)} s, ${size} bytes`,
);
if (size > MOST_BYTES) throw new Error(`${FILE} has more than ${MOST_BYTES} bytes: take fewer frames.`);

/**
 * Films a training on the built page for the README, as an animation in real time (docs/demo.webp). A part
 * of `npm run demo:pictures`.
 */
import sharp from "sharp";
import { hasTrained, serveDemo, startTraining, waitForWords } from "./demoPage.mjs";

const FILE = "docs/demo.webp";
/** Maximum size of the animation, because every visit of the package's page downloads it. */
const MOST_BYTES = 600_000;
/** Minimum time between two frames, and the time that the last one stays, in ms. */
const PAUSE = 120;
const LAST = 4000;

const demo = await serveDemo();
const page = await demo.open({ viewport: { width: 1000, height: 860 }, colorScheme: "light" });
await waitForWords(page);

/** @type {{ png: Buffer, at: number }[]} */
const frames = [];
const shoot = async () => frames.push({ png: await page.screenshot(), at: performance.now() });
await shoot();
await startTraining(page);
while (!(await page.evaluate(hasTrained))) {
  await shoot();
  await page.waitForTimeout(PAUSE);
}
await shoot();
await demo.close();

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

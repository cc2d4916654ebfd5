/** `npm run demo:pictures`: takes the pictures of the built page in Firefox (docs/screens/firefox-*.webp). */
import sharp from "sharp";
import { preview } from "vite";
import { launchFirefox } from "./firefox.mjs";

const server = await preview({ root: "demo", configFile: "demo/vite.config.ts", logLevel: "error" });

/**
 * Opens the page at several widths, and takes a picture of each.
 *
 * @param {"light" | "dark"} scheme
 * @param {readonly (readonly [width: number, height: number])[]} sizes
 */
async function take(scheme, sizes) {
  const browser = await launchFirefox({ scheme, reducedMotion: false });
  const page = await browser.newPage();
  for (const [width, height] of sizes) {
    await page.setViewport({ width, height });
    await page.goto(server.resolvedUrls?.local[0] ?? "");
    await page.waitForSelector("#samples li");
    await sharp(await page.screenshot())
      .webp({ quality: 80 })
      .toFile(`docs/screens/firefox-${width}-${scheme}.webp`);
  }
  await browser.close();
}

await take("light", [
  [1440, 900],
  [768, 1024],
]);
await take("dark", [[375, 667]]);
await server.close();

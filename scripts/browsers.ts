/** Where the system's browsers are. Nothing here downloads one. */
import { existsSync } from "node:fs";

/** WebGPU on a software adapter, headless, and no traffic of the browser's own. */
export const chromiumArgs = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Chromium or Chrome: `CHROMIUM_PATH`, or the usual places.
 *
 * @throws Error with the way to install one
 */
export function chromiumPath(): string {
  const places = [
    process.env.CHROMIUM_PATH,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  ];
  const found = places.find((place) => place !== undefined && existsSync(place));
  if (!found)
    throw new Error(
      "No Chromium or Chrome found: set CHROMIUM_PATH, or install one (Debian: apt-get install chromium).",
    );
  return found;
}

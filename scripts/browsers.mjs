/** Finds the browsers that are installed on this machine. Downloads none. */
import { existsSync } from "node:fs";

/** Flags: WebGPU on a software adapter, headless mode, no background traffic. */
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

/** Finds Chromium or Chrome: `CHROMIUM_PATH`, or the usual paths. */
export function findChromium() {
  return find(process.env.CHROMIUM_PATH, [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  ]);
}

/** Finds Firefox: `FIREFOX_PATH`, or the usual paths. */
export function findFirefox() {
  return find(process.env.FIREFOX_PATH, [
    "/usr/bin/firefox-esr",
    "/usr/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
  ]);
}

/** Finds WebKitGTK's driver, its browser, and a display for it: Debian's webkit2gtk-driver and xvfb. */
export function findWebKit() {
  const driver = find(process.env.WEBKIT_DRIVER_PATH, ["/usr/bin/WebKitWebDriver"]);
  const xvfb = find(undefined, ["/usr/bin/Xvfb"]);
  const libraries = [
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/libexec",
  ];
  const browser = find(
    process.env.WEBKIT_PATH,
    libraries.flatMap((folder) =>
      ["6.0", "4.1"].map((version) => `${folder}/webkit2gtk-${version}/MiniBrowser`),
    ),
  );
  return driver && xvfb && browser ? { driver, xvfb, browser } : undefined;
}

/**
 * Returns the path of Chromium or Chrome.
 *
 * @throws Error that says how to install it, if there is none
 */
export function chromiumPath() {
  const path = findChromium();
  if (path) return path;
  throw new Error(
    "No Chromium or Chrome found: set CHROMIUM_PATH, or install one (Debian: apt-get install chromium).",
  );
}

/**
 * @param {string | undefined} chosen
 * @param {string[]} places
 */
function find(chosen, places) {
  return [chosen, ...places].find((place) => place !== undefined && existsSync(place));
}

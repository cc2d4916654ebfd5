/** Starts Firefox, over WebDriver BiDi. */
import puppeteer from "puppeteer-core";
import { findFirefox } from "./browsers.mjs";

/**
 * BiDi emulates no media features, so they are preferences of the whole browser.
 *
 * @param {{ scheme: "light" | "dark", reducedMotion: boolean }} media
 */
export async function launchFirefox({ scheme, reducedMotion }) {
  const executablePath = findFirefox();
  if (!executablePath) throw new Error("Firefox: set FIREFOX_PATH, or install one (Debian: firefox-esr)");
  return puppeteer.launch({
    browser: "firefox",
    executablePath,
    headless: true,
    timeout: 120_000,
    extraPrefsFirefox: {
      "layout.css.prefers-color-scheme.content-override": scheme === "dark" ? 0 : 1,
      "ui.prefersReducedMotion": reducedMotion ? 1 : 0,
    },
  });
}

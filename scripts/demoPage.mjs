/** Opens the built demo page in Chromium, to take pictures of it. */
import { chromium } from "playwright";
import { preview } from "vite";
import { chromiumArgs, chromiumPath } from "./browsers.mjs";

/** @import { Browser, Page } from "playwright" */

/** Serves `demo/dist`, and starts a browser for it. */
export async function serveDemo() {
  const server = await preview({ root: "demo", configFile: "demo/vite.config.ts", logLevel: "error" });
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  return {
    /** @param {Parameters<Browser["newPage"]>[0]} options */
    async open(options) {
      const page = await browser.newPage(options);
      await page.goto(server.resolvedUrls?.local[0] ?? "");
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/**
 * Waits for the words of the small model.
 *
 * @param {Page} page
 */
export async function waitForWords(page) {
  await page.waitForSelector("#samples li");
}

/**
 * Starts a training, and waits for its first words.
 *
 * @param {Page} page
 */
export async function startTraining(page) {
  await page.click("#train");
  await page.waitForSelector("#live li");
}

/** Whether a training has ended and its words are shown. Runs in the page. */
export function hasTrained() {
  return (
    document.querySelector("#train-note")?.textContent?.includes("Loss over") &&
    /^\d+ words/.test(document.querySelector("#sample-status")?.textContent ?? "")
  );
}

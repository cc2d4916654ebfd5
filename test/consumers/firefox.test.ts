import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { onTestFinished, test } from "vitest";
import { findFirefox } from "../../scripts/browsers.mjs";
import { documentedCommand, expectOutcome, host, install, poll } from "./consumer";

test("Firefox, over WebDriver BiDi, without a bundler", async () => {
  const app = await install("no-bundler");
  await app.run(await documentedCommand("No bundler"));
  const { origin } = await host({ "/": join(app.folder, "src") });

  const executablePath = findFirefox();
  if (!executablePath) throw new Error("Firefox: set FIREFOX_PATH, or install one (Debian: firefox-esr)");
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath,
    headless: true,
    timeout: 120_000,
  });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(origin);
  expectOutcome(await poll(() => page.evaluate(() => Reflect.get(globalThis, "outcome"))));
});

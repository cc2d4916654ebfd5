/** Firefox, over WebDriver BiDi: the package without a bundler, and the demo page. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchFirefox } from "../../scripts/firefox.mjs";
import { documentedCommand, expectOutcome, host, install, poll } from "./consumer";

let browser: Browser;
beforeAll(async () => {
  browser = await launchFirefox({ scheme: "dark", reducedMotion: true });
});
afterAll(() => browser?.close());

test("Firefox, without a bundler", async () => {
  const app = await install("no-bundler");
  await app.run(await documentedCommand("No bundler"));
  const { origin } = await host({ "/": join(app.folder, "src") });
  const page = await browser.newPage();
  await page.goto(origin);
  expectOutcome(await poll(() => page.evaluate(() => Reflect.get(globalThis, "outcome"))));
  await page.close();
});

test("the demo page in Firefox fits every width, trains by the keyboard, and is accessible in the dark", async () => {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const { origin } = await host({ "/": fileURLToPath(new URL("../../demo/dist", import.meta.url)) });
  await page.setViewport({ width: 375, height: 667 });
  await page.goto(origin);
  const text = (selector: string) => page.$eval(selector, (element) => element.textContent ?? "");
  const count = (selector: string) => page.$$eval(selector, (elements) => elements.length);
  await poll(async () => (await count("#samples li")) === 24 || undefined);
  const media = ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"];
  expect(await page.evaluate((media) => media.map((query) => matchMedia(query).matches), media)).toEqual([
    true,
    true,
  ]);

  const sizes = [
    { width: 375, height: 667 },
    { width: 768, height: 1024 },
    { width: 1440, height: 900 },
  ];
  const overflow = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const bottom = (selector: string) =>
    page.$eval(selector, (element) => element.getBoundingClientRect().bottom);
  const sides = (selector: string) =>
    page.$eval(selector, (element) => {
      const { left, right } = element.getBoundingClientRect();
      return [left, right];
    });
  for (const size of sizes) {
    await page.setViewport(size);
    // The first screen has the button that trains and the one that writes.
    for (const button of ["#train", "#sample"])
      expect(await bottom(button), `${button} at ${size.width}`).toBeLessThanOrEqual(size.height);
  }

  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await page.click("[value=small]");
  await page.type("#train-form [name=steps]", "300");
  await page.focus("#train");
  await page.keyboard.press("Enter");
  await poll(
    async () => (await text("#train-note")).includes("Loss over all words") || undefined,
    complaints,
  );
  await poll(async () => /^24 words/.test(await text("#sample-status")) || undefined, complaints);
  expect(await count("#samples li")).toBe(24);
  expect(await count("#diary li.written")).toBeGreaterThan(0);
  for (const size of sizes) {
    await page.setViewport(size);
    for (const family of ["monospace", ""]) {
      await page.evaluate((family) => {
        for (const name of ["--sans", "--serif"]) document.documentElement.style.setProperty(name, family);
      }, family);
      expect(await overflow(), `at ${size.width} ${family}`).toBe(0);
    }
    // If the tree is wider than the screen, it scrolls to its newest character.
    const isInSight = ([left = 0, right = 0]: number[]) => left >= 0 && right <= size.width;
    await poll(async () => isInSight(await sides("#tree .letter.new")) || undefined);
  }

  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const violations = await page.evaluate(
    "axe.run().then((results) => results.violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))",
  );
  expect(violations).toEqual([]);
  expect(complaints).toEqual([]);
  await page.close();
});

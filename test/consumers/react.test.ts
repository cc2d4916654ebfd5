/**
 * `makemore-web/react` and `makemore-web/element` with the oldest supported React, in the development server of a Vite
 * whose optimizer would move them away from the worker. recipes.test.ts uses the newest React.
 */
import { expect, test } from "vitest";
import { install, openPage, poll } from "./consumer";

test("React 18 in strict mode, and the element, in Vite 7's development server", async () => {
  const app = await install("react");
  const page = await openPage();
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(await app.start((port) => `npx vite --port ${port} --strictPort`));
  await poll(async () => (await page.getByText(/^Stop.*training.*\d steps$/).count()) || undefined, problems);
  // The element shows words while the hook trains.
  await poll(async () => (await page.locator("makemore-words li").count()) === 3 || undefined, problems);
  await poll(async () => (await page.getByRole("button", { name: "New words" }).isVisible()) || undefined);
  expect(await page.evaluate("shared()")).toBe(true);
  // Strict mode mounts the component twice. The worker of the first mount must be gone.
  expect(page.workers()).toHaveLength(2);

  await page.getByRole("button", { name: "Stop" }).click();
  await poll(async () => (await page.locator("main li").count()) === 5 || undefined, problems);
  expect(await page.locator("output").textContent()).toBe("ready ");
  await page.evaluate("unmount()");
  await poll(async () => page.workers().length === 0 || undefined);
  expect(problems).toEqual([]);
});

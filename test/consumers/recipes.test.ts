/** The components of docs/recipes.md as they stand there, in a Vite app with the framework. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type Consumer, fenced, host, install, openPage, poll } from "./consumer";

const recipes = [
  { name: "react", heading: "React", language: "jsx", file: "Names.jsx" },
  { name: "vue", heading: "Vue", language: "vue", file: "Names.vue" },
  { name: "svelte", heading: "Svelte", language: "svelte", file: "Names.svelte" },
  { name: "element", heading: "A custom element", language: "js", file: "names.js" },
];

let app: Consumer;
beforeAll(async () => {
  app = await install("recipes");
  for (const { heading, language, file } of recipes) {
    const [code = ""] = await fenced("docs/recipes.md", language, heading);
    expect(code.trimEnd().split("\n").length, heading).toBeLessThanOrEqual(30);
    await writeFile(join(app.folder, "src", file), code);
  }
  await app.run("npx vite build");
});

test.each(recipes)(
  "recipe: $name starts, shows progress, stops, samples, and cleans up",
  async ({ name }) => {
    const { origin } = await host({ "/": join(app.folder, "dist") });
    const page = await openPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${origin}/${name}.html`);

    await page.getByRole("button", { name: "Train" }).click();
    await poll(
      async () =>
        (await page
          .locator("progress")
          .evaluate((bar) => Number(bar.getAttribute("value") ?? Reflect.get(bar, "value")))) || undefined,
    );
    await page.getByRole("button", { name: "Stop" }).click();
    const names = await poll(async () => (await page.locator("output").textContent()) || undefined);
    expect(names.split(", ")).toHaveLength(10);

    // It goes while it trains: the worker goes with it, and nothing is left to complain.
    await page.getByRole("button", { name: "Train" }).click();
    await page.evaluate("unmount()");
    await poll(async () => page.workers().length === 0 || undefined);
    expect(await page.locator("button").count()).toBe(0);
    expect(errors).toEqual([]);
  },
);

/** Runs the unchanged components of docs/recipes.md in a Vite app with each framework. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type Consumer, fenced, host, install, openPage, poll } from "./consumer";

const recipes = [
  { name: "react", heading: "React", language: "tsx", file: "Names.tsx" },
  { name: "vue", heading: "Vue", language: "vue", file: "Names.vue" },
  { name: "svelte", heading: "Svelte", language: "svelte", file: "Names.svelte" },
  { name: "element", heading: "A custom element", language: "ts", file: "names.ts" },
];

let app: Consumer;
beforeAll(async () => {
  app = await install("recipes");
  // So many words that no training ends before it is stopped.
  const all = await readFile(new URL("../../demo/words/names.txt", import.meta.url), "utf8");
  await writeFile(join(app.folder, "src", "words.js"), `export default ${JSON.stringify(all.trim())};\n`);
  for (const { heading, language, file } of recipes) {
    const [code = ""] = await fenced("docs/recipes.md", language, heading);
    expect(code.trimEnd().split("\n").length, heading).toBeLessThanOrEqual(30);
    await writeFile(join(app.folder, "src", file), code);
  }
  const [component = ""] = await fenced("docs/react.md", "tsx");
  await writeFile(join(app.folder, "src", "Generator.tsx"), component);
  // Strict mode mounts twice only in a development build.
  await app.run("NODE_ENV=development npx vite build --mode development");
});

test("recipe: all four are strict TypeScript", async () => {
  // TypeScript checks .tsx and .ts; vue-tsc and svelte-check check the frameworks' files.
  await app.run("npx tsc -p . && npx vue-tsc -p . && npx svelte-check --fail-on-warnings");
});

test.each(recipes)(
  "recipe: $name starts one training, shows progress, stops, samples, and cleans up",
  async ({ name }) => {
    const { origin } = await host({ "/": join(app.folder, "dist") });
    const page = await openPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${origin}/${name}.html`);
    const train = page.getByRole("button", { name: "Train" });
    const output = page.locator("output");
    const progress = () =>
      page.locator("progress").evaluate((bar: HTMLProgressElement) => ({ value: bar.value, max: bar.max }));

    // The second click of the double click must neither replace the AbortController nor show an error.
    await train.dblclick();
    await poll(async () => (await progress()).value || undefined);
    await train.click();
    expect(await output.textContent()).toBe("");
    await page.getByRole("button", { name: "Stop" }).click();
    const names = await poll(async () => (await output.textContent()) || undefined);
    expect(names.split(", ")).toHaveLength(10);
    // The training was stopped; it did not end by itself.
    const { value, max } = await progress();
    expect(value).toBeLessThan(max);

    // Unmount during a training: the worker ends, and there is no error.
    await train.click();
    await poll(async () => (await progress()).value !== value || undefined);
    await page.evaluate("unmount()");
    await poll(async () => page.workers().length === 0 || undefined);
    expect(await page.locator("button").count()).toBe(0);
    // Wait, because browsers report an unhandled rejection one task later.
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 100))");
    expect(errors).toEqual([]);
  },
);

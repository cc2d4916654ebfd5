/** Installs each program of examples/ with the packed package, and uses it as its README says. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Consumer, host, installExample, openPage, poll } from "./consumer";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));
const names = fileURLToPath(new URL("../../demo/words/names.txt", import.meta.url));

test("examples: the table has a row for each, and their lists equal those of bench/words", () => {
  const table = readFileSync(join(folder, "README.md"), "utf8");
  const examples = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(examples.length).toBeGreaterThan(10);
  for (const { name } of examples) {
    expect(table).toContain(`| [\`${name}\`](${name})`);
    for (const list of readdirSync(join(folder, name)).filter((file) => file.endsWith(".txt")))
      expect(readFileSync(join(folder, name, list), "utf8"), `${name}/${list}`).toBe(
        readFileSync(new URL(`../../bench/words/${list}`, import.meta.url), "utf8"),
      );
  }
});

/** Starts an example with the command of its README, and opens its page. */
async function startExample(app: Consumer) {
  const page = await openPage();
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  // Answer the browser's request for an icon, because no example has one.
  await page.route("**/favicon.ico", (route) => route.fulfill({ body: "" }));
  await page.goto(await app.start((port) => `npm start -- --port ${port}`));
  const words = (least: number) =>
    poll(async () => {
      const found = await page.getByRole("listitem").allTextContents();
      return found.length >= least ? found : undefined;
    }, problems);
  return { page, problems, words };
}

test.each(["vite", "react", "vue", "svelte"])(
  "examples: %s: words stream in during the training, new ones come after a stop, and no worker is left",
  async (name) => {
    const app = await installExample(name);
    await app.run("npm run build");
    // So many words that no training ends before it is stopped.
    await copyFile(names, join(app.folder, "towns.txt"));
    const { page, problems, words } = await startExample(app);
    const training = page.getByRole("button", { name: "Stop" });
    const train = () => page.getByRole("button", { name: "Train" }).click();

    await train();
    const streamed = await words(1);
    await poll(async () => String(await words(1)) !== String(streamed) || undefined);
    await training.click();
    await poll(async () => (await training.count()) === 0 || undefined);
    const list = new Set(readFileSync(names, "utf8").split("\n"));
    const made = await words(10);
    expect(made).toHaveLength(10);
    expect(made.filter((word) => list.has(word))).toEqual([]);
    expect(await page.locator("progress").evaluate((bar: HTMLProgressElement) => bar.position)).toBeLessThan(
      1,
    );

    if (name !== "vite") {
      await train();
      await poll(async () => String(await words(1)) !== String(made) || undefined);
      expect(page.workers()).toHaveLength(1);
      await page.getByRole("combobox", { name: "List" }).selectOption("plants");
      await poll(async () => page.workers().length === 0 || undefined);
      expect(await page.getByRole("listitem").count()).toBe(0);
      await train();
      await words(1);
    }
    expect(problems).toEqual([]);
  },
);

test("examples: the element shows ten new towns without a script", async () => {
  const app = await installExample("element");
  const { page, problems, words } = await startExample(app);
  const more = page.getByRole("button", { name: "More" });
  await poll(async () => (await more.isVisible()) || undefined, problems);
  const towns = new Set(readFileSync(join(app.folder, "towns.txt"), "utf8").split("\n"));
  const made = await words(10);
  expect(made.filter((town) => towns.has(town))).toEqual([]);
  await more.click();
  await poll(async () => String(await words(10)) !== String(made) || undefined);
  expect(problems).toEqual([]);
});

test("examples: Node trains, prints new towns and writes a file; Python samples from the file", async () => {
  const app = await installExample("node");
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: app.folder, encoding: "utf8", timeout: 120_000 })
      .trimEnd()
      .split("\n");
  expect(run("npm", "--silent", "start")).toHaveLength(10);
  const python = (args: string[], path?: string) =>
    execFileSync("/usr/bin/python3", args, {
      encoding: "utf8",
      env: { ...process.env, ...(path ? { PYTHONPATH: path } : {}) },
    });
  // Debian has no package for onnxruntime. test/python has a small one, which calls onnxruntime-node's C library.
  const sampled = python(["examples/python/sample.py", join(app.folder, "towns.onnx"), "5"], "test/python");
  expect(sampled.trimEnd().split("\n")).toHaveLength(5);
});

test("examples: the page without a bundler trains after a click", async () => {
  const app = await installExample("vanilla");
  const page = await openPage();
  await page.goto((await host({ "/": app.folder })).origin);
  await page.getByRole("button", { name: "Train" }).click();
  await poll(async () => (await page.getByRole("listitem").count()) === 10 || undefined);
});

test("examples: a villager has the same name in every game", async () => {
  const app = await installExample("game");
  await app.run("npm run build");
  const { origin } = await host({ "/": join(app.folder, "dist") });
  const villagers = async () => {
    const page = await openPage();
    await page.goto(origin);
    return poll(async () => {
      const names = await page.getByRole("listitem").allTextContents();
      return names.length > 0 ? names : undefined;
    });
  };
  const names = await villagers();
  expect(names).toEqual(Array(8).fill(expect.stringMatching(/^[A-Z][a-z]{3,8}$/)));
  expect(await villagers()).toEqual(names);
});

test("examples: a model survives a reload", async () => {
  const app = await installExample("keep");
  await app.run("npm run build");
  const page = await openPage();
  await page.goto((await host({ "/": join(app.folder, "dist") })).origin);
  const towns = () => poll(async () => (await page.locator("output").textContent()) || undefined);
  const status = () => page.locator("p[role=status]").textContent();
  expect((await towns()).split(", ")).toHaveLength(10);
  expect(await status()).toBe("Trained, and saved in this browser.");
  await page.reload();
  expect((await towns()).split(", ")).toHaveLength(10);
  expect(await status()).toBe("Kept from your last visit.");
});

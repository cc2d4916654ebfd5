/** The programs of examples/, each installed with the packed package and used as its README says. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { host, installExample, openPage, poll } from "./consumer";

test("examples: Node trains, prints new towns and writes a file, from which Python samples", async () => {
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
  // Debian has no onnxruntime; test/python has one over the C library of onnxruntime-node.
  const sampled = python(["examples/python/sample.py", join(app.folder, "towns.onnx"), "5"], "test/python");
  expect(sampled.trimEnd().split("\n")).toHaveLength(5);
});

test("examples: the page without a bundler trains at a click", async () => {
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

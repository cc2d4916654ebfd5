/**
 * Vite's major versions. In dev, the dependency optimizer of Vite 5 to 7 would move the main file away from its
 * worker. To prevent that, the package's entry for development (src/development.jsx) is a file that it does not bundle.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  all,
  type Consumer,
  expectScenario,
  fenced,
  host,
  install,
  openPage,
  outcome,
  poll,
  words,
} from "./consumer";

const versions = all ? ["5.4.21", "6.4.6", "7.3.8", "8.3.8"] : ["5.4.21", "7.3.8", "8.3.8"];

describe.each(versions)("Vite %s", (vite) => {
  let app: Consumer;
  beforeAll(async () => {
    app = await install("vite", { versions: { vite } });
  });

  test("dev", async () => {
    await expectScenario(await app.start((port) => `npx vite --port ${port} --strictPort`));
  });

  test("build", async () => {
    await app.run("npx vite build");
    await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
  });

  test("the README's first program, built as it stands there, makes words", async () => {
    const [program = ""] = await fenced("README.md", "ts");
    const site = join(app.folder, "first");
    await mkdir(join(site, "public"), { recursive: true });
    await writeFile(join(site, "public/towns.txt"), words);
    await writeFile(join(site, "main.ts"), program);
    await writeFile(join(site, "index.html"), '<script type="module" src="/main.ts"></script>');
    await app.run("npx vite build first");
    const page = await openPage();
    const log: string[] = [];
    page.on("console", (message) => log.push(message.text()));
    await page.goto((await host({ "/": join(site, "dist") })).origin);
    const made = await poll(async () => log.find((line) => /^\[|Error/.test(line)), log);
    expect(made).toMatch(/^\[([a-z]+, ){9}[a-z]+\]$/);
  });

  test.runIf(all || vite.startsWith("7"))(
    "dev in a workspace, with the package in the root's node_modules, under a base",
    async () => {
      const root = JSON.parse(await readFile(join(app.folder, "package.json"), "utf8"));
      await writeFile(
        join(app.folder, "package.json"),
        JSON.stringify({ ...root, workspaces: ["packages/*"] }),
      );
      const site = join(app.folder, "packages/site");
      await mkdir(site, { recursive: true });
      await writeFile(join(site, "package.json"), '{ "name": "site", "private": true, "type": "module" }');
      for (const part of ["index.html", "src"])
        await cp(join(app.folder, part), join(site, part), { recursive: true });
      const command = "cd packages/site && ../../node_modules/.bin/vite --base /some/base/ --strictPort";
      await expectScenario(await app.start((port) => `${command} --port ${port}`, "some/base/"));
    },
  );

  test.runIf(/^[567]/.test(vite))(
    "dev, imported by another package: LOAD_FAILED names a setting that works",
    async () => {
      const wrapper = join(app.folder, "node_modules/wrapper");
      await mkdir(wrapper, { recursive: true });
      await writeFile(
        join(wrapper, "package.json"),
        '{ "name": "wrapper", "type": "module", "main": "index.js" }',
      );
      await writeFile(join(wrapper, "index.js"), 'export { Makemore } from "makemore-web";\n');
      await copyWith("index.html", "main.js", "wrapped.html", "wrapped.js");
      await copyWith("src/main.js", "makemore-web", "src/wrapped.js", "wrapper");
      await expectSetting({}, "wrapped.html");
    },
  );

  // From Vite 6 on, an app's own conditions replace the default ones, with "development" among them.
  test.runIf(/^[67]/.test(vite))(
    "dev, with the app's own conditions: LOAD_FAILED names a setting that works",
    () => expectSetting({ resolve: { conditions: ["browser"] } }, "index.html"),
  );

  /** Checks that a page fails, and that it works with the setting that the error names. */
  async function expectSetting(config: object, path: string): Promise<void> {
    const failed = await openPage();
    await failed.goto(await serveWith("plain", config, path));
    const { error } = (await outcome(failed)) as { error: string };
    const setting = error.match(/did not start.*404.*optimizer.*optimizeDeps: \{ (exclude: \[.*?\]) \}/)?.[1];
    expect(setting, error).toBe('exclude: ["makemore-web"]');
    const optimizeDeps = { exclude: ["makemore-web"] };
    await expectScenario(await serveWith("excluded", { ...config, optimizeDeps }, path));
  }

  /** Writes a copy of a file with one string replaced. */
  async function copyWith(file: string, what: string, copy: string, by: string): Promise<void> {
    const text = await readFile(join(app.folder, file), "utf8");
    await writeFile(join(app.folder, copy), text.replace(what, by));
  }

  /** Starts Vite's server with this configuration. */
  async function serveWith(name: string, config: object, path: string): Promise<string> {
    await writeFile(join(app.folder, `${name}.config.js`), `export default ${JSON.stringify(config)};\n`);
    return app.start((port) => `npx vite --config ${name}.config.js --port ${port} --strictPort`, path);
  }
});

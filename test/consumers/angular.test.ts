import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { all, expectScenario, fenced, host, install } from "./consumer";

test.runIf(all)("Angular, dev and build, with the folder copied as docs/bundlers.md says", async () => {
  const app = await install("angular");
  const [documented = ""] = await fenced("docs/bundlers.md", "json", "Angular");
  const configuration = JSON.parse(await readFile(join(app.folder, "angular.json"), "utf8"));
  expect(configuration.projects.app.architect.build.options.assets).toEqual([JSON.parse(documented)]);

  await expectScenario(await app.start((port) => `npx ng serve --port ${port}`));
  await app.run("npx ng build");
  await expectScenario((await host({ "/": join(app.folder, "dist/browser") })).origin);
});

import { join } from "node:path";
import { expect, test } from "vitest";
import { documentedCommand, expectScenario, host, install, openPage, outcome } from "./consumer";

test("esbuild, as docs/bundlers.md says; a classic script needs assetsURL", async () => {
  const app = await install("esbuild");
  await app.run(await documentedCommand("esbuild"));
  await app.run("cp index.html classic.html dist/");
  const { origin } = await host({ "/": join(app.folder, "dist") });
  await expectScenario(origin);

  await app.run("npx esbuild src/classic.js --bundle --outfile=dist/classic.js");
  await expectScenario(`${origin}/classic.html`);

  await app.run("npx esbuild src/main.js --bundle --outfile=dist/classic.js --allow-overwrite");
  const page = await openPage();
  await page.goto(`${origin}/classic.html`);
  expect(await outcome(page)).toMatchObject({
    error: expect.stringMatching(/^MakemoreError: .*import\.meta\.url.*assetsURL/),
  });
});

import { expect, test } from "vitest";
import { all, expectScenario, install } from "./consumer";

test.runIf(all)("Nuxt, dev and build, with rendering on the server", async () => {
  const app = await install("nuxt", { sources: "." });
  await expectScenario(await app.start((port) => `npx nuxt dev --port ${port}`));
  await app.run("npx nuxt build");
  const url = await app.start((port) => `PORT=${port} node .output/server/index.mjs`);
  expect(await (await fetch(url)).text()).toContain("Rendered without a model");
  await expectScenario(url);
});

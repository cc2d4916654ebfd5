import { join } from "node:path";
import { test } from "vitest";
import { all, expectScenario, host, install } from "./consumer";

test.runIf(all)("Astro, dev and build", async () => {
  const app = await install("astro");
  await expectScenario(await app.start((port) => `npx astro dev --port ${port}`));
  await app.run("npx astro build");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

import { join } from "node:path";
import { test } from "vitest";
import { all, expectScenario, host, install } from "./consumer";

test.runIf(all)("Angular, dev and build, with the folder copied as docs/bundlers.md has it", async () => {
  const app = await install("angular");
  await expectScenario(await app.start((port) => `npx ng serve --port ${port}`));
  await app.run("npx ng build");
  await expectScenario((await host({ "/": join(app.folder, "dist/browser") })).origin);
});

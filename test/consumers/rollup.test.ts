import { join } from "node:path";
import { test } from "vitest";
import { documentedCommand, expectScenario, host, install } from "./consumer";

test("Rollup, as docs/bundlers.md says", async () => {
  const app = await install("rollup");
  await app.run(await documentedCommand("Rollup"));
  await app.run("cp index.html dist/");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

import { join } from "node:path";
import { test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("webpack", async () => {
  const app = await install("webpack");
  await app.run("npx webpack --mode production && cp index.html dist/");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

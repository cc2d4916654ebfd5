import { join } from "node:path";
import { test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("webpack, in development and production mode", async () => {
  const app = await install("webpack");
  for (const mode of ["production", "development"]) {
    await app.run(`npx webpack --mode ${mode} && cp index.html dist/`);
    await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
  }
});

import { join } from "node:path";
import { test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("Rspack, in development and production mode", async () => {
  const app = await install("rspack");
  for (const mode of ["production", "development"]) {
    await app.run(`npx rspack build --mode ${mode} && cp index.html dist/`);
    await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
  }
});

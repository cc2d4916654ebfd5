import { join } from "node:path";
import { test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("Rspack", async () => {
  const app = await install("rspack");
  await app.run("npx rspack build --mode production && cp index.html dist/");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

import { join } from "node:path";
import { test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("Parcel", async () => {
  const app = await install("parcel");
  await app.run("npx parcel build src/index.html");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

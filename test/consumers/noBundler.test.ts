import { join } from "node:path";
import { test } from "vitest";
import { documentedCommand, expectScenario, host, install } from "./consumer";

test("no bundler, as docs/bundlers.md says", async () => {
  const app = await install("no-bundler");
  await app.run(await documentedCommand("No bundler"));
  await expectScenario((await host({ "/": join(app.folder, "src") })).origin);
});

import { join } from "node:path";
import { expect, test } from "vitest";
import { expectScenario, host, install } from "./consumer";

test("SvelteKit, dev and build, with rendering on the server", async () => {
  const app = await install("sveltekit");
  const url = await app.start((port) => `npx vite dev --port ${port} --strictPort`);
  expect(await (await fetch(url)).text()).toContain("Rendered without a model");
  await expectScenario(url);
  await app.run("npx vite build");
  await expectScenario((await host({ "/": join(app.folder, "build") })).origin);
});

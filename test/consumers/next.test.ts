import { expect, test } from "vitest";
import { expectScenario, install } from "./consumer";

test("Next.js, app router: rendering on the server imports the package and does nothing with it", async () => {
  const app = await install("next", "app");
  await app.run("npx next build");
  const url = await app.start((port) => `npx next start --port ${port}`);
  expect(await (await fetch(url)).text()).toContain("Rendered without a model");
  await expectScenario(url);
});

import { join } from "node:path";
import { beforeAll, test } from "vitest";
import { type Consumer, expectScenario, host, install } from "./consumer";

let app: Consumer;
beforeAll(async () => {
  app = await install("vite");
});

test("Vite, dev: with its dependency optimiser, which moves the main file away from the others", async () => {
  await expectScenario(await app.start((port) => `npx vite --port ${port} --strictPort`));
});

test("Vite, build", async () => {
  await app.run("npx vite build");
  await expectScenario((await host({ "/": join(app.folder, "dist") })).origin);
});

import { beforeAll, describe, expect, test } from "vitest";
import { all, type Consumer, expectScenario, install } from "./consumer";

/** Next.js's major versions, with the options that choose each of their bundlers. */
const majors = [
  { next: "14.2.35", react: "18.3.1", build: [""], dev: ["", "--turbo"] },
  { next: "15.5.29", react: "19.3.1", build: ["", "--turbopack"], dev: ["", "--turbopack"] },
  { next: "16.4.6", react: "19.3.1", build: ["--turbopack", "--webpack"], dev: ["--turbopack", "--webpack"] },
];
const sample = [{ next: "16.4.6", react: "19.3.1", build: ["--turbopack"], dev: ["--turbopack"] }];

describe.each(all ? majors : sample)("Next.js $next, app router", ({ next, react, build, dev }) => {
  let app: Consumer;
  beforeAll(async () => {
    app = await install("next", { sources: "app", versions: { next, react, "react-dom": react } });
  });

  test.each(build)("next build %s", async (option) => {
    await app.run(`npx next build ${option}`);
    await expectPage(await app.start((port) => `npx next start --port ${port}`));
  });

  test.each(dev)("next dev %s", async (option) => {
    await expectPage(await app.start((port) => `npx next dev ${option} --port ${port}`));
  });
});

/** Checks the rendered HTML, for which the server only imports the package, and then the page's scenario. */
async function expectPage(url: string): Promise<void> {
  expect(await (await fetch(url)).text()).toContain("Rendered without a model");
  await expectScenario(url);
}

import { describe, expect, test } from "vitest";
import { all, expectScenario, install } from "./consumer";

/** Next.js's majors and their bundlers: the options of `next dev` and `next build` for each. */
const majors = [
  { next: "14.2.35", react: "18.3.1", dev: ["", "--turbo"], build: [""] },
  { next: "15.5.29", react: "19.3.1", dev: ["", "--turbopack"], build: ["", "--turbopack"] },
  { next: "16.4.6", react: "19.3.1", dev: ["--turbopack", "--webpack"], build: ["--turbopack", "--webpack"] },
];

describe.each(all ? majors : majors.slice(-1))("Next.js $next, app router", ({ next, react, dev, build }) => {
  test("dev and build: rendering on the server imports the package and does nothing with it", async () => {
    const app = await install("next", { sources: "app", versions: { next, react, "react-dom": react } });
    for (const option of all ? build : build.slice(0, 1)) {
      await app.run(`npx next build ${option}`);
      await expectPage(await app.start((port) => `npx next start --port ${port}`));
    }
    for (const option of all ? dev : dev.slice(0, 1))
      await expectPage(await app.start((port) => `npx next dev ${option} --port ${port}`));
  });
});

async function expectPage(url: string): Promise<void> {
  expect(await (await fetch(url)).text()).toContain("Rendered without a model");
  await expectScenario(url);
}

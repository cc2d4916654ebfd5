/** Where the package is served from, and what the page allows: no bundler, plain files. */
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { expectOutcome, expectScenario, host, openPage, outcome, scenarioFolder, words } from "./consumer";

const cors = { "access-control-allow-origin": "*" };

/** A page that takes the package from `url`; scripts are files, for policies that refuse inline ones. */
const page = `<!doctype html><meta charset="utf-8"><script type="module" src="/main.js"></script>`;
const main = (url: string) =>
  `import { Makemore } from "${url}"; import { scenario } from "/scenario.js"; import words from "/words.js"; scenario(Makemore, words);`;

test("cross-origin, with CORS only: the worker starts, and everything comes from there", async () => {
  const cdn = await host({ "/": inject("packed") }, cors);
  const site = await host(
    { "/": await scenarioFolder(main(`${cdn.origin}/dist/index.js`)) },
    {},
    { "/": page },
  );
  await expectScenario(site.origin);
  expect(new Set(cdn.requests)).toEqual(
    new Set([
      "/dist/index.js",
      ...["worker.js", "ort.js", "ort.wasm", "tfjs.js", "tfjs.wasm"].map(
        (file) => `/dist/makemore-web/${file}`,
      ),
    ]),
  );
});

test("CSP: same origin, under the strict policy that docs/bundlers.md gives", async () => {
  const folders = {
    "/": await scenarioFolder(main("/dist/index.js")),
    "/dist/": join(inject("packed"), "dist"),
  };
  const csp = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
  await expectScenario((await host(folders, { "content-security-policy": csp }, { "/": page })).origin);
});

test("CSP: from another origin, with what docs/bundlers.md adds for it", async () => {
  const cdn = await host({ "/": inject("packed") }, cors);
  const { origin } = cdn;
  const csp = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' ${origin}; connect-src 'self' ${origin}; worker-src blob: ${origin}`;
  const folders = { "/": await scenarioFolder(main(`${origin}/dist/index.js`)) };
  await expectScenario((await host(folders, { "content-security-policy": csp }, { "/": page })).origin);
});

test("offline: a Makemore that was used goes on without the network", async () => {
  const site = await host({ "/dist/": join(inject("packed"), "dist") }, {}, { "/": "<!doctype html>" });
  const opened = await openPage();
  await opened.goto(site.origin);
  const use = `(async () => {
    const { Makemore } = await import("/dist/index.js");
    globalThis.maker ??= new Makemore({ backend: "wasm" });
    await maker.train(${JSON.stringify(words)}, { steps: 20, model: { hidden: 16 } });
    const samples = await maker.sample(3, { seed: 1 });
    await maker.load(await maker.exportONNX());
    return [samples, await maker.sample(3, { seed: 1 })];
  })()`;
  const before = await opened.evaluate<string[][]>(use);
  await site.close();
  await opened.context().setOffline(true);
  const [samples, loaded] = await opened.evaluate<string[][]>(use);
  expect(samples).toHaveLength(3);
  expect(loaded).toEqual(samples);
  expect([samples, loaded]).toEqual(before);
});

test("network: nothing from a third party", async () => {
  const folders = {
    "/": await scenarioFolder(main("/dist/index.js")),
    "/dist/": join(inject("packed"), "dist"),
  };
  const site = await host(folders, {}, { "/": page });
  const opened = await openPage();
  const elsewhere: string[] = [];
  // The workers' requests too: a context hears of all of them.
  opened.context().on("request", (request) => {
    if (!request.url().startsWith(site.origin)) elsewhere.push(request.url());
  });
  await opened.goto(site.origin);
  expectOutcome(await outcome(opened));
  expect(elsewhere).toEqual([]);
});

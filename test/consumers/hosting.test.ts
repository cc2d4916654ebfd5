/** The package as plain files without a bundler, on different hosts and under different policies. */
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import {
  expectOutcome,
  expectScenario,
  fenced,
  host,
  openPage,
  outcome,
  scenarioFolder,
  words,
} from "./consumer";

const cors = { "access-control-allow-origin": "*" };

/** A page whose script is a file, because some policies refuse inline scripts. */
const page = `<!doctype html><meta charset="utf-8"><script type="module" src="/main.js"></script>`;
const main = (url: string) =>
  `import { Makemore } from "${url}"; import { scenario } from "/scenario.js"; import words from "/words.js"; scenario(Makemore, words);`;

test("cross-origin, with CORS only: the worker starts, and all files come from the other origin", async () => {
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
      ...["worker.js", "ort.js", "ort.wasm", "webgpu.js", "tfjs.js", "tfjs.wasm"].map(
        (file) => `/dist/makemore-web/${file}`,
      ),
    ]),
  );
});

/** Returns the policies of docs/bundlers.md: for the page's own origin and for another one. Each is one line. */
async function documentedPolicies(): Promise<[own: string, other: string]> {
  const policies = await fenced("docs/bundlers.md", "", "Content-Security-Policy");
  expect(policies).toHaveLength(2);
  const [own = "", other = ""] = policies.map((policy) => policy.replace(/\s+/g, " ").trim());
  return [own, other];
}

test("CSP: same origin, with the strict policy of docs/bundlers.md", async () => {
  const folders = {
    "/": await scenarioFolder(main("/dist/index.js")),
    "/dist/": join(inject("packed"), "dist"),
  };
  const [csp] = await documentedPolicies();
  await expectScenario((await host(folders, { "content-security-policy": csp }, { "/": page })).origin);
});

test("CSP: another origin, with the policy of docs/bundlers.md for it", async () => {
  const { origin } = await host({ "/": inject("packed") }, cors);
  const [, documented] = await documentedPolicies();
  const csp = documented.replaceAll("https://cdn.example", origin);
  expect(csp).toContain(origin);
  const folders = { "/": await scenarioFolder(main(`${origin}/dist/index.js`)) };
  await expectScenario((await host(folders, { "content-security-policy": csp }, { "/": page })).origin);
});

/** Returns the directives of docs/bundlers.md for a page with Trusted Types. */
async function documentedTrustedTypes(): Promise<string> {
  const [policy = "", ...others] = await fenced("docs/bundlers.md", "", "Trusted Types");
  expect(others).toEqual([]);
  return policy.trim();
}

test("Trusted Types: same origin and another one, with the policies of docs/bundlers.md", async () => {
  const { origin } = await host({ "/": inject("packed") }, cors);
  const trustedTypes = await documentedTrustedTypes();
  const [own, other] = await documentedPolicies();
  const sites = [
    [own, "/dist/index.js"],
    [other.replaceAll("https://cdn.example", origin), `${origin}/dist/index.js`],
  ];
  for (const [csp = "", url = ""] of sites) {
    const folders = { "/": await scenarioFolder(main(url)), "/dist/": join(inject("packed"), "dist") };
    // The response with the worker's script has the header too.
    const headers = { "content-security-policy": `${csp}; ${trustedTypes}` };
    await expectScenario((await host(folders, headers, { "/": page })).origin);
  }
});

test("Trusted Types: a default policy is used; without any allowed policy the error says what to list", async () => {
  const trustedTypes = await documentedTrustedTypes();
  const folders = { "/dist/": join(inject("packed"), "dist") };
  const listing = (name: string) => ({
    "content-security-policy": trustedTypes.replace("makemore-web", name),
  });
  const start = (before: string) => `(async () => {
    ${before};
    const { Makemore } = await import("/dist/index.js");
    const mm = new Makemore({ backend: "wasm" });
    return mm.sample(1).then(() => "sampled", ({ code, message }) => code + ": " + message);
  })()`;
  const opened = await openPage();
  await opened.goto((await host(folders, listing("default"), { "/": "<!doctype html>" })).origin);
  const policy = `trustedTypes.createPolicy("default", { createScriptURL: (url) => { globalThis.asked = url; return url; } })`;
  expect(await opened.evaluate(start(policy))).toMatch(/^NO_MODEL/);
  expect(await opened.evaluate("globalThis.asked")).toMatch(/\/dist\/makemore-web\/worker\.js$/);
  await opened.goto((await host(folders, listing("another"), { "/": "<!doctype html>" })).origin);
  expect(await opened.evaluate(start(""))).toMatch(/^LOAD_FAILED.*makemore-web in trusted-types/);
});

test.each([
  ["the same Makemore goes on", {}, ["the same"]],
  ["if caching is allowed, a new one works too", { "cache-control": "max-age=3600" }, ["the same", "new"]],
])("offline after the first sample: %s", async (_, headers, makers) => {
  const site = await host({ "/dist/": join(inject("packed"), "dist") }, headers, { "/": "<!doctype html>" });
  const opened = await openPage({ profile: true });
  await opened.goto(site.origin);
  const first = await use("new");
  await site.close();
  await opened.context().setOffline(true);
  for (const maker of makers) expect(await use(maker), maker).toEqual(first);
  expect(first).toMatchObject({ samples: Array(3).fill(expect.any(String)), step: 30 });
  expect(first).toHaveProperty("again", Reflect.get(first, "samples"));

  /** Makes each kind of call once, from train to resume. */
  function use(maker: string): Promise<object> {
    return opened.evaluate<object>(`(async () => {
      const { Makemore } = await import("/dist/index.js");
      if (${maker === "new"}) globalThis.maker = new Makemore({ backend: "wasm" });
      const words = ${JSON.stringify(words)};
      await maker.train(words, { steps: 20, model: { hidden: 16 } });
      const samples = await maker.sample(3, { seed: 1 });
      await maker.load(await maker.exportONNX());
      const again = await maker.sample(3, { seed: 1 });
      const scores = await maker.score(["emma"]);
      let step;
      await maker.resume({ words, steps: 30, onProgress: (progress) => { step = progress.step; } });
      return { samples, again, scores, step, losses: await maker.evaluate() };
    })()`);
  }
});

test("network: nothing from a third party", async () => {
  const folders = {
    "/": await scenarioFolder(main("/dist/index.js")),
    "/dist/": join(inject("packed"), "dist"),
  };
  const site = await host(folders, {}, { "/": page });
  const opened = await openPage();
  const urls: string[] = [];
  opened.context().on("request", (request) => urls.push(request.url()));
  await opened.goto(site.origin);
  expectOutcome(await outcome(opened));
  expect(urls.filter((url) => !url.startsWith(`${site.origin}/`))).toEqual([]);
  // The log must contain the worker's requests too, or this test would prove nothing.
  for (const file of ["worker.js", "ort.wasm", "tfjs.wasm"])
    expect(urls).toContain(`${site.origin}/dist/makemore-web/${file}`);
});

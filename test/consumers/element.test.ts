/**
 * `<makemore-words>` in Chromium, as docs/element.md shows it: from the packed files, without a bundler, and under the
 * Content-Security-Policy of docs/bundlers.md.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";
import { fenced, host, openPage, poll, words } from "./consumer";

const csp = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

test("element: trains on its list, samples on a click, can be moved, and uses its saved model after a reload", async () => {
  const [script = "", markup = ""] = await fenced("docs/element.md", "html");
  expect(script).toMatch(/^<script type="module" src="\/makemore-web\/element\.js"><\/script>\n$/);
  expect(markup).toMatch(/^<makemore-words list="towns\.txt" count="10"/);
  const element = markup.replace("<makemore-words", '<makemore-words steps="300" save="towns"');
  const page = await openPage();
  const problems: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  const style = join(inject("folder"), "element.css");
  writeFileSync(style, (await fenced("docs/element.md", "css")).join(""));
  const site = await host(
    { "/makemore-web/": join(inject("packed"), "dist"), "/element.css": style },
    { "content-security-policy": csp },
    {
      "/": `<!doctype html><title>Towns</title><link rel="icon" href="/icon.txt" /><link rel="stylesheet" href="/element.css" />${script}<main>${element}</main><aside></aside>`,
      "/towns.txt": words,
      "/icon.txt": "",
    },
  );
  await page.goto(site.origin);
  const shown = async () => {
    const found = await page.locator("makemore-words li").allTextContents();
    return found.length === 10 && (await page.getByRole("button").isVisible()) ? found : undefined;
  };
  // Playwright's locators search open shadow trees too.
  const first = await poll(shown, problems);
  for (const word of first) expect(word).toMatch(/^[a-z]+$/);
  expect(new Set(first).size).toBe(10);
  // The style sheet applies, although the policy allows no inline styles.
  expect(
    await page.locator("makemore-words ul").evaluate((list) => getComputedStyle(list).listStyleType),
  ).toBe("none");

  await page.getByRole("button", { name: "New words" }).click();
  const second = await poll(async () => {
    const found = await shown();
    return found && String(found) !== String(first) ? found : undefined;
  });
  expect(page.workers()).toHaveLength(1);
  await page.evaluate('document.querySelector("aside").append(document.querySelector("makemore-words"))');
  expect(await shown()).toEqual(second);
  expect(page.workers()).toHaveLength(1);

  // Wait until the saved model is listed, which means that it was written.
  await poll(() =>
    page.evaluate(
      '(async () => { const { Makemore } = await import("/makemore-web/index.js"); return (await Makemore.saved()).find(({ name }) => name === "towns") })()',
    ),
  );
  site.requests.length = 0;
  await page.reload();
  await poll(shown, problems);
  expect(site.requests).not.toContain("/towns.txt");
  expect(await page.evaluate('document.querySelector("makemore-words").makemore.model.step')).toBe(300);

  await page.evaluate('document.querySelector("makemore-words").remove()');
  await poll(async () => page.workers().length === 0 || undefined);
  expect(problems).toEqual([]);
});

test("element: it has less than 4 KB gzipped, and imports only the main file", () => {
  const code = readFileSync(join(inject("packed"), "dist/element.js"));
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(4000);
  const imported = [...code.toString().matchAll(/(?:from|import\(?)\s*"([^"]+)"/g)].map((match) => match[1]);
  expect(imported).toEqual(["./index.js"]);
});

test("element: importing it on a server does nothing", () => {
  const program = `
    const { MakemoreWords } = await import(${JSON.stringify(join(inject("packed"), "dist/element.js"))});
    console.log(typeof MakemoreWords);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  expect(output).toBe("function\n");
});

/** The package as npm would publish it: its files, its links, and two linters for packages. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { expect, inject, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a tool from this project's node_modules. Throws with its output if it finds a problem. */
function tool(...[name = "", ...args]: string[]): string {
  return execFileSync("npx", ["--no", "--", name, ...args], { cwd: root, encoding: "utf8", stdio: "pipe" });
}

/** Returns the paths in the packed package. */
const files = () =>
  execFileSync("tar", ["tzf", inject("tarball")], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((file) => file.replace("package/", ""))
    .sort();

test("tarball: the files in it", () => {
  const chunk = (name: string) => [`dist/makemore-web/${name}.js`, `dist/makemore-web/${name}.js.map`];
  expect(files().filter((file) => !file.startsWith("docs/"))).toEqual(
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      "package.json",
      "dist/THIRD-PARTY-NOTICES.txt",
      "dist/command.js",
      "dist/development.jsx",
      "dist/index.d.ts",
      "dist/index.js",
      "dist/index.js.map",
      "dist/node.js",
      "dist/node.js.map",
      ...["element", "react"].flatMap((name) => [
        `dist/${name}-development.jsx`,
        `dist/${name}.d.ts`,
        `dist/${name}.js`,
        `dist/${name}.js.map`,
      ]),
      ...chunk("worker"),
      ...chunk("webgpu"),
      ...chunk("tfjs"),
      "dist/makemore-web/tfjs.wasm",
      ...chunk("diagnostics"),
      ...chunk("ort"),
      "dist/makemore-web/ort.wasm",
    ].sort(),
  );
});

test("tarball: the README's links and pictures work on npm's page, which has no repository", () => {
  const packed = inject("packed");
  const { version, unpkg, jsdelivr } = JSON.parse(readFileSync(join(packed, "package.json"), "utf8"));
  const own = `https://unpkg.com/makemore-web@${version}/`;
  const links = linksIn(join(packed, "README.md"));
  const toFiles = links.filter((link) => link.includes("makemore-web"));
  expect(toFiles.length).toBeGreaterThan(5);
  for (const link of toFiles) {
    expect(link.startsWith(own), `${link} should start with ${own}`).toBe(true);
    expect(files()).toContain(link.slice(own.length).replace(/#.*/, ""));
  }
  // npm's page would resolve relative links against a repository.
  expect(links.filter((link) => !/^(https:|#)/.test(link))).toEqual([]);
  expect(files()).toContain(unpkg.replace("./", ""));
  expect(jsdelivr).toBe(unpkg);
});

test("tarball: every relative link of its pages leads to a file in it", () => {
  const packed = inject("packed");
  const pages = files().filter((file) => file.endsWith(".md"));
  const links = pages.flatMap((page) =>
    linksIn(join(packed, page))
      .filter((link) => !/^([a-z]+:|#)/.test(link))
      .map((link) => ({ page, link })),
  );
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(
    ({ page, link }) => !existsSync(join(packed, dirname(page), link.replace(/#.*/, ""))),
  );
  expect(broken).toEqual([]);
});

/** Returns the targets of a Markdown file's links and pictures. */
function linksIn(file: string): string[] {
  const text = readFileSync(file, "utf8").replace(/^```.*?^```/gms, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
}

test.each(["worker", "webgpu", "tfjs", "diagnostics", "ort"])(
  "tarball: %s.js is a classic script as well as a module",
  (name) => {
    // Next.js 14 minifies every file that it copies as a classic script, in which `export` is a syntax error.
    const file = join(inject("packed"), `dist/makemore-web/${name}.js`);
    expect(() => new Script(readFileSync(file, "utf8"))).not.toThrow();
  },
);

test("tarball: publint", () => {
  expect(tool("publint", "--strict", inject("tarball"))).toContain("All good!");
});

test("tarball: are the types wrong", () => {
  // It exits with an error if it finds a problem.
  expect(tool("attw", "--profile", "esm-only", inject("tarball"))).toContain("makemore-web");
});

/** The package as npm would publish it: what is in it, and what the two linters of packages say. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { expect, inject, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a tool of this project's; throws with its output where it finds something. */
function tool(...[name = "", ...args]: string[]): string {
  return execFileSync("npx", ["--no", "--", name, ...args], { cwd: root, encoding: "utf8", stdio: "pipe" });
}

test("tarball: the files in it", () => {
  const files = execFileSync("tar", ["tzf", inject("tarball")], { encoding: "utf8" })
    .trim()
    .split("\n");
  const chunk = (name: string) => [`dist/makemore-web/${name}.js`, `dist/makemore-web/${name}.js.map`];
  expect(files.map((file) => file.replace("package/", "")).sort()).toEqual(
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "THIRD-PARTY-NOTICES.md",
      "package.json",
      "dist/development.jsx",
      "dist/index.d.ts",
      "dist/index.js",
      "dist/index.js.map",
      ...chunk("worker"),
      ...chunk("tfjs"),
      "dist/makemore-web/tfjs.wasm",
      ...chunk("ort"),
      "dist/makemore-web/ort.wasm",
    ].sort(),
  );
});

test.each(["worker", "tfjs", "ort"])("tarball: %s.js is a classic script as well as a module", (name) => {
  // Next.js 14 minifies what it copies as a classic script: there, `export` is a syntax error.
  const file = join(inject("packed"), `dist/makemore-web/${name}.js`);
  expect(() => new Script(readFileSync(file, "utf8"))).not.toThrow();
});

test("tarball: publint", () => {
  expect(tool("publint", "--strict", inject("tarball"))).toContain("All good!");
});

test("tarball: are the types wrong", () => {
  // It ends with an error where it finds a problem.
  expect(tool("attw", "--profile", "esm-only", inject("tarball"))).toContain("makemore-web");
});

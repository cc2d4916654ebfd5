/** The packed files come from the repository or from its build, which gives the same bytes each time. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Options } from "tsup";
import { expect, inject, onTestFinished, test } from "vitest";
import configuration from "../../tsup.config";

const root = fileURLToPath(new URL("../..", import.meta.url));
const packed = inject("packed");

/** Lists the files of a folder, relative to it. */
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    statSync(join(folder, file)).isFile(),
  );

/** Shipped files that are unchanged copies from packages. */
const copies: Readonly<Record<string, string>> = {
  "dist/makemore-web/ort.wasm": "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  "dist/makemore-web/tfjs.wasm":
    "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
  "dist/development.jsx": "src/development.jsx",
};

test.skipIf(!existsSync(join(root, ".git")))(
  "provenance: every packed file is tracked by git, or in dist/",
  () => {
    // In a container, the clone may belong to another user. Git lists files of such a clone only if it is told to trust it.
    const list = ["-c", "safe.directory=*", "ls-files"];
    const tracked = execFileSync("git", list, { cwd: root, encoding: "utf8" }).split("\n");
    const others = filesIn(packed).filter((file) => !file.startsWith("dist/"));
    expect(others.length).toBeGreaterThan(10);
    for (const file of others) {
      expect(tracked).toContain(file);
      expect(readFileSync(join(packed, file)).equals(readFileSync(join(root, file))), file).toBe(true);
    }
  },
);

test("provenance: another build gives every script and source map of dist/ byte for byte", async () => {
  // Build into a folder beside dist/, so that paths in source maps are the same.
  const again = mkdtempSync(join(root, ".rebuilt-"));
  onTestFinished(() => rmSync(again, { recursive: true }));
  for (const options of [configuration].flat() as Options[]) {
    const isTypes = typeof options.dts === "object" && options.dts.only;
    if (!isTypes)
      await build({ ...options, config: false, dts: false, silent: true, outDir: basename(again) });
  }
  const rebuilt = filesIn(again);
  for (const file of rebuilt)
    expect(readFileSync(join(again, file)).equals(readFileSync(join(packed, "dist", file))), file).toBe(true);
  for (const [file, original] of Object.entries(copies))
    expect(readFileSync(join(packed, file)).equals(readFileSync(join(root, original))), file).toBe(true);
  // The remaining files are type declarations, and one-line files that tsup.config.ts writes.
  const known = [...rebuilt.map((file) => `dist/${file}`), ...Object.keys(copies)];
  const rest = filesIn(packed).filter((file) => file.startsWith("dist/") && !known.includes(file));
  expect(rest.filter((file) => !/^dist\/\w+(\.d\.ts|-development\.jsx)$/.test(file))).toEqual([]);
});

test("provenance: no file names a folder of the machine that built it", () => {
  const folders = ["src", "worker", "node_modules", "dist"].map((name) => join(root, name));
  const home = homedir();
  for (const file of filesIn(packed)) {
    const text = readFileSync(join(packed, file), "latin1");
    for (const folder of home.length > 1 ? [...folders, home] : folders)
      expect(text.includes(`${folder}/`), `${file}: ${folder}`).toBe(false);
  }
});

test("provenance: source maps contain their sources, named by their paths in the repository", () => {
  const maps = filesIn(packed).filter((file) => file.endsWith(".map"));
  expect(maps.length).toBeGreaterThan(5);
  for (const map of maps) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(packed, map), "utf8"));
    expect(sourcesContent).toHaveLength(sources.length);
    const up = map.startsWith("dist/makemore-web/") ? "\\.\\./\\.\\./" : "\\.\\./";
    const own = new RegExp(
      `^(${up}|script:)(src/|worker/|node_modules/(?!\\.)|package\\.json$)(?!.*\\.\\./)`,
    );
    expect(sources.filter((source: string) => !own.test(source))).toEqual([]);
  }
});

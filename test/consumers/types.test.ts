/** A strict TypeScript project can compile the README's examples unchanged, and import every type of the package. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, expect, inject, test } from "vitest";
import { fenced } from "./consumer";

const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
let folder: string;

const optional = `import mm, { Makemore } from "makemore-web";
const none = undefined as undefined;
const maker = new Makemore({ backend: none, assetsURL: none, workerURL: none });
await maker.train(words, {
  steps: none,
  model: { hidden: none, folds: none },
  learningRate: { peak: 0.1, warmup: none, decay: none },
  optimizer: { type: "adamw", beta1: none },
  onProgress: none,
  signal: none,
});
await mm.train(words, { model: [{ type: "Linear", fanOut: none }], optimizer: none });
await mm.sample(1, { prefix: none, seed: none, novel: none, signal: none });
await mm.exportONNX({ form: none });
await mm.resume({ steps: none, words: none });
await mm.score(words, { signal: none });
export {};
`;

beforeAll(async () => {
  folder = join(inject("folder"), "types");
  await mkdir(join(folder, "node_modules"), { recursive: true });
  await symlink(inject("packed"), join(folder, "node_modules/makemore-web"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  // Variables that the examples assume.
  await writeFile(join(folder, "given.d.ts"), "declare const words: string[];\n");
  // Options may be undefined, which counts as not given.
  await writeFile(join(folder, "undefined.ts"), optional);
  const examples = [...(await fenced("README.md", "ts")), ...(await fenced("docs/sampling.md", "ts"))];
  for (const [i, example] of examples.entries()) await writeFile(join(folder, `example${i + 1}.ts`), example);
});

test.each([
  ["bundler", "esnext"],
  ["node16", "node16"],
])("types: the README's examples under moduleResolution %s", async (moduleResolution, module) => {
  const tsconfig = join(folder, `tsconfig.${moduleResolution}.json`);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
    module,
    moduleResolution,
    // The package's own declarations are checked too.
    skipLibCheck: false,
  };
  await writeFile(tsconfig, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const listed = run("--listFilesOnly");
  expect(listed).toMatch(/example1\.ts/);
  expect(listed).toMatch(/dist\/index\.d\.ts/);
  expect(run()).toBe("");

  function run(...args: string[]): string {
    try {
      return execFileSync(process.execPath, [tsc, "-p", tsconfig, ...args], { encoding: "utf8" });
    } catch (error) {
      return String(Reflect.get(Object(error), "stdout"));
    }
  }
});

test("types: every type that a call takes or gives can be imported by name", () => {
  const text = readFileSync(join(inject("packed"), "dist/index.d.ts"), "utf8");
  const source = ts.createSourceFile("index.d.ts", text, ts.ScriptTarget.ES2022);
  const declared = new Set<string>();
  const named = new Set<string>();
  const exported = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) declared.add(node.name.text);
    // Names of extended interfaces are a different kind of node, so they are not collected.
    if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName)) named.add(node.typeName.text);
    if (ts.isExportSpecifier(node)) exported.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const own = [...named].filter((name) => declared.has(name));
  expect(own).toEqual(expect.arrayContaining(["TrainOptions", "SampleOptions", "OptimizerSpec"]));
  expect(own.filter((name) => !exported.has(name))).toEqual([]);
});

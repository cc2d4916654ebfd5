import { copyFile, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { defineConfig, type Options } from "tsup";

/**
 * The main file and the worker's files are each complete in itself: no bundler of a user's has to follow an import from one
 * to another, so each may be copied as it stands. What they share is small. Everything is bundled,
 * so the package has no dependencies to resolve, in a CDN's folder either.
 *
 * The element and the hook import the main file, so that a page that imports both has one `Makemore` class and one worker's
 * address. The element names it by its place, for pages without a bundler. The hook names the package, because it needs a
 * bundler anyway (for React), and then gets Node's main file in Node.
 */
const common: Options = {
  format: "esm",
  target: "es2022",
  platform: "browser",
  sourcemap: true,
  minify: true,
  splitting: false,
  treeshake: false,
  noExternal: [/./],
};

/**
 * The files of the worker's thread, as classic scripts: modules load them all the same, and Next.js 14
 * minifies whatever it copies as a classic script. What libraries ask of Node is not there, and is said not to be:
 * a bundler that saw `process` or `Buffer` would bring a stand-in for it.
 */
const inWorker: Options = {
  ...common,
  format: "iife",
  outExtension: () => ({ js: ".js" }),
  external: [/^node:/, "fs", "path", "util", "crypto", "string_decoder", "module", "worker_threads"],
  define: {
    "import.meta.url": "globalThis.location.href",
    process: "undefined",
    Buffer: "undefined",
    global: "globalThis",
    __dirname: "undefined",
    __filename: "undefined",
  },
};

/** @tensorflow/tfjs re-exports all of these, and training uses none of them. */
const leftOutOfTfjs = ["tfjs-layers", "tfjs-converter", "tfjs-data", "tfjs-backend-webgl"];

/** `import script from "./file?script"` gives the file compiled to a classic script, as a string. */
const scripts: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "scripts",
  setup(build) {
    build.onResolve({ filter: /\?script$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace("?script", ".ts")),
      namespace: "script",
    }));
    build.onLoad({ filter: /./, namespace: "script" }, async ({ path }) => {
      const { code } = await build.esbuild.transform(await readFile(path), { loader: "ts", minify: true });
      return { contents: code, loader: "text", watchFiles: [path] };
    });
  },
};

/** The main file, as the element and the hook import it. */
const MAIN = "./index.js";

const mainByName: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "main-by-name",
  setup(build) {
    build.onResolve({ filter: /^\.\/index\.js$/ }, () => ({ path: "makemore-web", external: true }));
  },
};

/** Writes a subpath's counterpart of src/development.jsx. */
function developmentEntry(name: string): Promise<void> {
  return writeFile(
    `dist/${name}-development.jsx`,
    `// As development.jsx, for makemore-web/${name}.\nexport * from "./${name}.js";\n`,
  );
}

export default defineConfig([
  {
    ...common,
    entry: { index: "src/index.ts" },
    // `Symbol.dispose`, for programs whose own target is older.
    dts: { banner: '/// <reference lib="esnext.disposable" />' },
    onSuccess: () => copyFile("src/development.jsx", "dist/development.jsx"),
  },
  {
    ...common,
    entry: { element: "src/element.ts" },
    noExternal: [],
    external: [MAIN],
    onSuccess: () => developmentEntry("element"),
  },
  {
    ...common,
    entry: { react: "src/react.ts" },
    noExternal: [],
    esbuildPlugins: [mainByName],
    onSuccess: () => developmentEntry("react"),
  },
  {
    // Their types are those of the main file: a copy of the class would be another type.
    entry: { element: "src/element.ts", react: "src/react.ts" },
    format: "esm",
    external: [MAIN],
    dts: { only: true },
  },
  {
    ...common,
    entry: { node: "src/index.ts" },
    // Nobody downloads it, and Node shows the line where a program failed.
    minify: false,
    esbuildOptions(options) {
      options.inject = ["src/node/page.ts"];
    },
    esbuildPlugins: [scripts],
  },
  {
    ...common,
    platform: "node",
    entry: { command: "src/command/index.ts" },
    minify: false,
    sourcemap: false,
    // commander is CommonJS.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    esbuildOptions(options) {
      options.inject = ["src/node/page.ts"];
    },
    esbuildPlugins: [scripts],
  },
  { ...inWorker, entry: { "makemore-web/worker": "worker/worker.ts" } },
  {
    ...inWorker,
    entry: { "makemore-web/tfjs": "worker/chunks/tfjs.ts" },
    esbuildOptions(options) {
      options.alias = Object.fromEntries(
        leftOutOfTfjs.map((name) => [`@tensorflow/${name}`, "./worker/chunks/leftOut.cjs"]),
      );
    },
    async onSuccess() {
      await copyFile(
        "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
        "dist/makemore-web/tfjs.wasm",
      );
    },
  },
  {
    ...inWorker,
    entry: { "makemore-web/ort": "worker/chunks/ort.ts" },
    async onSuccess() {
      await copyFile(
        "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
        "dist/makemore-web/ort.wasm",
      );
    },
  },
]);

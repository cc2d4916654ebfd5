import { copyFile, readFile, writeFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { defineConfig, type Options } from "tsup";
import { notices, sourceNames } from "./scripts/notices.mjs";

/**
 * The main file and the worker's files are self-contained: none imports another, so each can be copied unchanged.
 * The code that they share is small. Dependencies are bundled, so neither a bundler nor a CDN has to resolve any.
 *
 * The element and the hook import the main file, so that a page that imports both has one `Makemore` class and one
 * worker URL. The element imports it by a relative path, for pages without a bundler. The hook imports it by the
 * package's name, because it needs a bundler anyway (for React). In Node it then gets Node's main file.
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
  esbuildPlugins: [notices, sourceNames],
};

/**
 * The files of the worker's thread, as classic scripts. Module workers can load them too, and Next.js 14 minifies
 * every file that it copies as a classic script. Node's globals are defined as undefined, because a bundler that
 * finds `process` or `Buffer` in a file adds a polyfill for it.
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

/** Packages that @tensorflow/tfjs re-exports and training does not use. */
const leftOutOfTfjs = ["tfjs-layers", "tfjs-converter", "tfjs-data", "tfjs-backend-webgl"];

/** `import script from "./file?script"` gives the file compiled to a classic script, as a string. */
const scripts: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "scripts",
  setup(build) {
    build.onResolve({ filter: /\?script$/ }, ({ path, resolveDir }) => ({
      // Relative, because source maps name it.
      path: relative(".", resolve(resolveDir, path.replace("?script", ".ts"))),
      namespace: "script",
    }));
    build.onLoad({ filter: /./, namespace: "script" }, async ({ path }) => {
      const { code } = await build.esbuild.transform(await readFile(path), { loader: "ts", minify: true });
      return { contents: code, loader: "text", watchFiles: [resolve(path)] };
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
    esbuildOptions(options) {
      // Keeps comlink's copyright in place; at the end of the file, it would take a heading of its own.
      options.legalComments = "inline";
    },
    // The type of `Symbol.dispose`, for programs with an older target.
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
    esbuildPlugins: [notices, sourceNames, mainByName],
    onSuccess: () => developmentEntry("react"),
  },
  {
    // Take the class's type from the main file, because TypeScript would treat a copy as another type.
    entry: { element: "src/element.ts", react: "src/react.ts" },
    format: "esm",
    external: [MAIN],
    dts: { only: true },
  },
  {
    ...common,
    entry: { node: "src/index.ts" },
    // No page downloads this file, and Node prints the source line of an error.
    minify: false,
    esbuildOptions(options) {
      options.inject = ["src/node/page.ts"];
    },
    esbuildPlugins: [notices, sourceNames, scripts],
  },
  {
    ...common,
    platform: "node",
    entry: { command: "src/command/index.ts" },
    minify: false,
    sourcemap: false,
    // commander is CommonJS, so the bundle needs `require`.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    esbuildOptions(options) {
      options.inject = ["src/node/page.ts"];
    },
    esbuildPlugins: [notices, sourceNames, scripts],
  },
  { ...inWorker, entry: { "makemore-web/worker": "worker/worker.ts" } },
  { ...inWorker, entry: { "makemore-web/webgpu": "worker/chunks/webgpu.ts" } },
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
  { ...inWorker, entry: { "makemore-web/diagnostics": "worker/chunks/diagnostics.ts" } },
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

import { copyFile } from "node:fs/promises";
import { defineConfig, type Options } from "tsup";

/**
 * Every file of dist/ is complete in itself: no bundler of ours or of a user's has to follow an
 * import from one to another, so each may be copied as it stands. What they share is small.
 */
const common: Options = {
  format: "esm",
  target: "es2022",
  platform: "browser",
  sourcemap: true,
  minify: true,
  splitting: false,
  treeshake: false,
  // Everything is bundled: the package has no dependencies to resolve, in a CDN's folder either.
  noExternal: [/./],
  external: [
    "node:module",
    "node:worker_threads",
    "node:fs",
    "node:fs/promises",
    "node:path",
    "node:url",
    "node:os",
  ],
  esbuildOptions(options) {
    options.legalComments = "none";
  },
};

export default defineConfig([
  { ...common, entry: { index: "src/index.ts" }, dts: true },
  { ...common, entry: { worker: "worker/worker.ts" } },
  {
    ...common,
    entry: { tfjs: "worker/chunks/tfjs.ts" },
    esbuildOptions(options) {
      options.legalComments = "none";
      // @tensorflow/tfjs re-exports all of these, and training uses none of them.
      options.alias = Object.fromEntries(
        ["tfjs-layers", "tfjs-converter", "tfjs-data", "tfjs-backend-webgl"].map((name) => [
          `@tensorflow/${name}`,
          "./worker/chunks/leftOut.cjs",
        ]),
      );
    },
  },
  {
    ...common,
    entry: { ort: "worker/chunks/ort.ts" },
    async onSuccess() {
      await copyFile("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", "dist/ort.wasm");
      await copyFile(
        "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
        "dist/tfjs.wasm",
      );
    },
  },
]);

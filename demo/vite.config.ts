import { defineConfig } from "vite";

/**
 * URL of the page's folder, with its last slash. The link preview's picture needs it, because relative URLs do not
 * work there.
 */
process.env.VITE_SITE ??= "./";

/**
 * Relative paths, so that the files work from any folder of any static host. No file is inlined into the script: lists
 * and models are fetched when they are chosen.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0 },
});

import { defineConfig } from "vite";

/**
 * Address of the page's folder, with its last slash, for the picture that goes with a link: programs that show one
 * take no relative address.
 */
process.env.VITE_SITE ??= "./";

/**
 * Relative paths, so that the files work from any folder of any static host. No file is put into the script: lists
 * and models are fetched when they are chosen.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0 },
});

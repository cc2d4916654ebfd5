import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/**
 * URL of the page's folder, with its last slash. The link preview's picture needs it, because relative URLs do not
 * work there.
 */
process.env.VITE_SITE ??= "./";

/** Copies the notices of what the package's own files contain. Vite collects those of the page's other packages. */
const packageNotices: Plugin = {
  name: "package-notices",
  generateBundle() {
    const source = readFileSync(new URL("../dist/THIRD-PARTY-NOTICES.txt", import.meta.url));
    this.emitFile({ type: "asset", fileName: "licenses-of-makemore-web.txt", source });
  },
};

/**
 * Relative paths, so that the files work from any folder of any static host. No file is inlined into the script: lists
 * and models are fetched when they are chosen.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [packageNotices],
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    license: { fileName: "licenses.txt" },
  },
});

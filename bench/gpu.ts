/**
 * `npm run bench:gpu`: builds and serves the page that checks and measures the webgpu engine on a visitor's own GPU
 * (bench/web/gpu.html). The folder .cache/gpu-bench works on any static server.
 *
 *     npm run bench:gpu -- [--words FILE] [--build-only]
 */
import { copyFile, cp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, preview } from "vite";
import { buildPackage } from "./built";

const root = fileURLToPath(new URL("..", import.meta.url));
const outDir = join(root, ".cache/gpu-bench");

/** The command. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      words: { type: "string", default: join(root, "demo/words/names.txt") },
      "build-only": { type: "boolean", default: false },
    },
  });
  buildPackage();
  await rm(outDir, { recursive: true, force: true });
  const config = { root: join(root, "bench/web"), base: "./", configFile: false, logLevel: "error" } as const;
  await build({
    ...config,
    build: {
      outDir,
      target: "esnext",
      chunkSizeWarningLimit: Number.POSITIVE_INFINITY,
      rolldownOptions: { input: join(root, "bench/web/gpu.html") },
    },
    worker: { format: "es" },
  });
  await rename(join(outDir, "gpu.html"), join(outDir, "index.html"));
  await copyFile(values.words, join(outDir, "words.txt"));
  await cp(join(root, "dist"), join(outDir, "package"), { recursive: true });
  console.log(`Built ${outDir}.`);
  if (values["build-only"]) return;
  const server = await preview({ ...config, build: { outDir }, preview: { host: "localhost" } });
  console.log(`Open ${server.resolvedUrls?.local[0]} in a browser with WebGPU; Ctrl+C ends the server.`);
}

/**
 * Draws the figures of docs/wavenet.md and prints its numbers, from a model that it trains first
 * (about half a minute): npm run kernels && node scripts/draw-wavenet.mjs
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

if (!existsSync(new URL("../worker/engines/wasm/binaries.ts", import.meta.url)))
  throw new Error("The wasm engine is not built yet: npm run kernels && node scripts/draw-wavenet.mjs");
const { module } = await runnerImport(fileURLToPath(new URL("draw-wavenet.ts", import.meta.url)), {
  configFile: false,
  logLevel: "error",
});
await module.main();

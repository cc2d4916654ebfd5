/**
 * Draws the figures of docs/wavenet.md and prints its numbers, from a model that it trains first
 * (about half a minute): node scripts/draw-wavenet.mjs
 */
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const { module } = await runnerImport(fileURLToPath(new URL("draw-wavenet.ts", import.meta.url)), {
  configFile: false,
  logLevel: "error",
});
await module.main();

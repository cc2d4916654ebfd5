/** Runs bench/bench.ts: Node 20 reads no TypeScript, Vite does. */
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const { module } = await runnerImport(fileURLToPath(new URL("bench.ts", import.meta.url)), {
  configFile: false,
  logLevel: "error",
});
try {
  await module.main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

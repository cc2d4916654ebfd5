/** Runs bench/gpuArithmetic.ts: Node 20 reads no TypeScript, Vite does. */
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const { module } = await runnerImport(fileURLToPath(new URL("gpuArithmetic.ts", import.meta.url)), {
  configFile: false,
  logLevel: "error",
});
module.main(process.argv.slice(2));

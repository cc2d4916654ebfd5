/**
 * Runs a program in TypeScript, because Node 20 reads none and Vite does: node scripts/run.mjs FILE [ARGUMENT...]
 * The file exports `main`, which is given the arguments.
 */
import { resolve } from "node:path";
import { runnerImport } from "vite";

const [file = "", ...args] = process.argv.slice(2);
const { module } = await runnerImport(resolve(file), { configFile: false, logLevel: "error" });
try {
  await module.main(args);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

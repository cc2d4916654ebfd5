/**
 * Runs a TypeScript program with Vite, because Node 20 cannot run TypeScript. The file must export `main`, which gets
 * the arguments.
 *
 *     node scripts/run.mjs FILE [ARGUMENT...]
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

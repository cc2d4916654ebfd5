/** Runs bench/profileWasm.ts with Vite, because Node 20 cannot run TypeScript. */
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";
import { kernelsModule } from "../scripts/build-kernels.mjs";

const { module } = await runnerImport(fileURLToPath(new URL("profileWasm.ts", import.meta.url)), {
  configFile: false,
  logLevel: "error",
});
await module.main(process.argv.slice(2), kernelsModule);

/**
 * `npm run test:consumers`: builds the package, and tests it in apps made with a sample of the bundlers.
 * With `--all`, in every version of every bundler. Other arguments choose test files by name.
 */
import { run } from "./setup.mjs";

const args = process.argv.slice(2);
if (args.includes("--all")) process.env.CONSUMERS = "all";
const files = args.filter((arg) => arg !== "--all");
run("Building the package", "npm", ["run", "--silent", "build"]);
run("Testing the consumers", "npx", ["vitest", "run", "--project", "consumers", ...files]);

/**
 * `npm run test:consumers`: installs what is missing, builds the package, and tests it in apps that use a sample of
 * the bundlers. With `--all` it tests every version of every bundler. Other arguments select test files by name.
 */
import { installBrowsers, installPackages, run } from "./setup.mjs";

const args = process.argv.slice(2);
if (args.includes("--all")) process.env.CONSUMERS = "all";
installPackages();
installBrowsers();
run("Building the package", "npm", ["run", "--silent", "build"]);
const files = args.filter((arg) => arg !== "--all");
run("Testing the consumers", "npx", ["vitest", "run", "--project", "consumers", ...files]);

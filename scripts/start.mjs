/** `npm start`: installs what is missing, builds, and serves the demo page. */
import { installPackages, run } from "./setup.mjs";

installPackages();
run("Building the package", "npm", ["run", "--silent", "build"]);
run("Building the demo page", "npm", ["run", "--silent", "demo:build"]);
console.log("\nThe demo page, ready to train on a bundled list of names:");
run("Serving the demo page", "npm", ["run", "--silent", "demo:serve"]);

/**
 * `npm test`: installs what is missing (packages, and on Debian the browsers), checks style and types, builds the
 * package, the demo and the documentation, and runs every test.
 */
import { spawnSync } from "node:child_process";
import { findWebKit } from "./browsers.mjs";
import { installBrowsers, installPackages, run } from "./setup.mjs";

installPackages();
const lacks = (/** @type {string} */ module) => () =>
  spawnSync("/usr/bin/python3", ["-c", `import ${module}`]).status !== 0;
const webkit = () => !findWebKit();
installBrowsers({
  "python3-onnx": lacks("onnx"),
  // A download of about 140 MB, mostly video and geography libraries that Debian's build of PyTorch depends on.
  "python3-torch": lacks("torch"),
  "webkit2gtk-driver": webkit,
  xvfb: webkit,
});
run("Checking style", "npx", ["biome", "check", "."]);
run("Building the package", "npm", ["run", "--silent", "build"]);
// After the build, because the demo uses the package's built type declarations, as any page would.
run("Checking types", "npm", ["run", "--silent", "types"]);
run("Building the demo page", "npm", ["run", "--silent", "demo:build"]);
run("Building the documentation", "node", ["scripts/docs.mjs"]);
run("Testing", "npx", ["vitest", "run"]);

/**
 * `npm test`: installs what is missing (packages, and on Debian the browsers), then runs the whole
 * suite: style, types, the build and what is in it, and every test.
 */
import { findChromium, findFirefox } from "./browsers.mjs";
import { installBrowsers, installPackages, run } from "./setup.mjs";

installPackages();
installBrowsers({ chromium: () => !findChromium(), "firefox-esr": () => !findFirefox() });
run("Checking style", "npx", ["biome", "check", "."]);
run("Building the package", "npm", ["run", "--silent", "build"]);
// After the build, because the demo uses the package as any page would: by its own declarations.
run("Checking types", "npm", ["run", "--silent", "types"]);
run("Building the demo page", "npm", ["run", "--silent", "demo:build"]);
run("Testing", "npx", ["vitest", "run"]);

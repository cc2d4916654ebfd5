/** `npm start`: installs what is missing, builds what has changed, and serves the demo page. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPackages, root, run } from "./setup.mjs";

/** Folder of stamp files. One is written after each build, so an input that is newer has changed since. */
const stamps = join(root, "node_modules/.cache/makemore-web");

console.log("This builds makemore-web and serves its demo page. The first time takes up to a minute.");
installPackages();
const settings = ["package.json", "package-lock.json", "tsup.config.ts", "scripts/build-kernels.mjs"];
build("the package", "build", [...settings, "src", "worker"], "dist/index.js");
build("the demo page", "demo:build", ["demo", "dist", "bench/words/plants.txt"], "demo/dist/index.html");

// Imported only now, because Vite may just have been installed.
const { preview } = await import("vite");
const server = await preview({
  root: join(root, "demo"),
  configFile: join(root, "demo/vite.config.ts"),
  logLevel: "warn",
});
const [address] = server.resolvedUrls?.local ?? [];
console.log(`\nOpen ${address} in your browser and press Train. To stop the server, press Ctrl+C here.`);

/**
 * Runs a build if an input has changed since it last succeeded.
 *
 * @param {string} what
 * @param {string} script of package.json
 * @param {string[]} inputs files and folders
 * @param {string} output one of the files it writes
 */
function build(what, script, inputs, output) {
  const stamp = join(stamps, script.replace(":", "-"));
  const current = existsSync(stamp) && existsSync(join(root, output));
  const changed = () => Math.max(...inputs.map((input) => changedAt(join(root, input))));
  if (current && changed() <= statSync(stamp).mtimeMs) return console.log(`\n— ${what}: nothing has changed`);
  run(`Building ${what}`, "npm", ["run", "--silent", script]);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, "");
}

/**
 * Returns when a file, or any file in a folder, last changed: milliseconds since 1970.
 *
 * @param {string} path
 * @returns {number}
 */
function changedAt(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  // Skip the demo's output, which is inside its source folder.
  const inside = readdirSync(path).filter((name) => join(path, name) !== join(root, "demo/dist"));
  return Math.max(...inside.map((name) => changedAt(join(path, name))));
}

/** Fails at once if the files that these tests open in the browser were not built. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** A file that each command builds, relative to the repository's root. */
const builds = {
  "npm run build": "dist/index.js",
  "npm run demo:build": "demo/dist/index.html",
};

/** Called by vitest before the first test of the project. */
export default function setup(): void {
  for (const [command, file] of Object.entries(builds))
    if (!existsSync(`${root}/${file}`)) throw new Error(`${file} is missing: run \`${command}\` first.`);
}

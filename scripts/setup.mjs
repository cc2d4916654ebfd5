/**
 * Installs what a fresh clone lacks. Uses only Node, because nothing else may be installed yet.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findChromium, findFirefox } from "./browsers.mjs";

/** The repository's root. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs a command, and shows the command and its output.
 *
 * @param {string} title what the command does, such as "Building the package"
 * @param {string} command
 * @param {string[]} args
 * @returns {number} its exit code, or 1 if it has none
 */
function attempt(title, command, args) {
  console.log(`\n— ${title}: ${[command, ...args].join(" ")}`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error) console.error(error.message);
  if (status !== 0) console.error(`\n${title} failed.`);
  return status ?? 1;
}

/**
 * Like `attempt`, but if the command fails, ends this process with its exit code.
 *
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 */
export function run(title, command, args) {
  const code = attempt(title, command, args);
  if (code !== 0) process.exit(code);
}

/** Installs the locked packages if they are missing or older than the lock file. */
export function installPackages() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`This needs Node 20.19 or newer; this is ${process.versions.node}.`);
    process.exit(1);
  }
  const installed = `${root}/node_modules/.package-lock.json`;
  const current =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}/package-lock.json`).mtimeMs;
  if (!current) run("Installing packages", "npm", ["ci", "--no-audit", "--no-fund"]);
}

/**
 * Installs the browsers for the tests, on Debian as root.
 *
 * @param {Parameters<typeof installSystemPackages>[1]} [wanted]
 */
export function installBrowsers(wanted = {}) {
  installSystemPackages({ chromium: () => !findChromium(), "firefox-esr": () => !findFirefox() }, wanted);
}

/**
 * Installs missing Debian packages, on Debian and its relatives as root.
 *
 * @param {Record<string, () => boolean>} needed required packages, each with a function that tells if it is missing
 * @param {Record<string, () => boolean>} wanted the same for optional packages, without which some tests are skipped
 */
function installSystemPackages(needed, wanted) {
  const missingOf = (/** @type {Record<string, () => boolean>} */ packages) =>
    Object.keys(packages).filter((name) => packages[name]?.());
  const missing = missingOf(needed);
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    const useful = missingOf(wanted);
    if (missing.length + useful.length === 0) return;
    process.env.DEBIAN_FRONTEND = "noninteractive";
    const install = ["install", "-y", "-qq", "--no-install-recommends"];
    // Go on if this fails, because the existing package lists may be enough.
    attempt("Updating Debian's package lists", "apt-get", ["update", "-qq"]);
    if (missing.length > 0) run("Installing what the tests need", "apt-get", [...install, ...missing]);
    if (
      useful.length > 0 &&
      attempt("Installing what some tests use", "apt-get", [...install, ...useful]) !== 0
    )
      console.warn(`Without ${useful.join(", ")} some tests are skipped.`);
  } else if (missing.length > 0) {
    console.error(
      `Missing: ${missing.join(", ")}. Install them (Debian: sudo apt-get install ${missing.join(" ")}), or set CHROMIUM_PATH and FIREFOX_PATH.`,
    );
    process.exit(1);
  }
}

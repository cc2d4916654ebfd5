/**
 * Packs the package once before all consumer tests, as npm would publish it. Each test installs that file in its own
 * folder under one temporary folder, which is deleted at the end.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

const root = fileURLToPath(new URL("../..", import.meta.url));

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder in which consumers are installed. */
    folder: string;
    /** The packed package: a .tgz as npm makes it. */
    tarball: string;
    /** The folder with the unpacked package. */
    packed: string;
  }
}

export default function setup(project: TestProject): () => void {
  if (!existsSync(`${root}/dist/index.js`)) throw new Error("Nothing to pack: run `npm run build` first.");
  const folder = mkdtempSync(join(tmpdir(), "makemore-web-"));
  const name = execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
  });
  const tarball = join(folder, name.trim());
  const packed = join(folder, "packed");
  mkdirSync(packed);
  execFileSync("tar", ["xzf", tarball, "-C", packed, "--strip-components=1"]);
  project.provide("folder", folder);
  project.provide("tarball", tarball);
  project.provide("packed", packed);
  return () => rmSync(folder, { recursive: true, force: true });
}

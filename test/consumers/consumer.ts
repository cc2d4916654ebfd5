/**
 * Helpers of the consumer tests. Each consumer is a small app in apps/, written as a user would write it. A test installs
 * it with the packed package, builds it with its own tool, serves it from a plain file server, and opens it in a
 * browser. The app runs `scenario`, and the test checks the outcome.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, expect, inject, onTestFinished } from "vitest";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Whether to test every version of every tool (`npm run test:consumers -- --all`) or a sample. */
export const all = process.env.CONSUMERS === "all";

/** A few hundred names, one per line. */
export const words = (await readFile(`${root}demo/words/names.txt`, "utf8"))
  .split("\n")
  .slice(0, 400)
  .join("\n");

/** Environment variables that npm, Vite and Vitest set. They are removed, so that tools do not build in test mode. */
const ours = /^(npm_.*|VITEST.*|NODE_ENV|TEST|MODE|DEV|PROD|SSR|BASE_URL)$/;

const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  // Tools must not ask questions or send telemetry.
  CI: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  ASTRO_TELEMETRY_DISABLED: "1",
  NUXT_TELEMETRY_DISABLED: "1",
  NG_CLI_ANALYTICS: "false",
  PARCEL_WORKERS: "1",
};

/**
 * Seconds after which a tool counts as hanging. Two tools, two attempts to start a server and a scenario take less
 * time than the limits of vitest.config.ts, so a failure shows the tool's output.
 */
const RUN_SECONDS = 180;
/** Seconds after which a server that does not answer counts as failed. */
const START_SECONDS = 60;

/** An installed app. */
export interface Consumer {
  readonly folder: string;
  /** Runs a shell command in the app's folder; rejects with its output if it fails. */
  run(command: string): Promise<void>;
  /**
   * Runs a command that serves on the given `port` until the test ends. Returns the page's URL.
   *
   * @param path the page's path without the first slash
   */
  start(command: (port: number) => string, path?: string): Promise<string>;
}

interface Installation {
  /** The app's folder with the main file, into which the scenario is copied. Default: `src`. */
  sources?: string;
  /** Versions by package, which replace those in the app's package.json. */
  versions?: Record<string, string>;
}

/**
 * Installs an app of apps/ and the packed package.
 *
 * @param name of the app
 */
export async function install(
  name: string,
  { sources = "src", versions = {} }: Installation = {},
): Promise<Consumer> {
  return installFrom(`${here}apps/${name}`, [inject("tarball")], async (folder) => {
    const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const devDependencies = { ...description.devDependencies, ...versions };
    await writeFile(join(folder, "package.json"), JSON.stringify({ ...description, devDependencies }));
    await addScenario(join(folder, sources));
  });
}

/**
 * Installs a program of examples/ as in a clone, where it depends on the package's folder by a relative path. Here that
 * folder has the packed package.
 */
export function installExample(name: string): Promise<Consumer> {
  return installFrom(`${root}examples/${name}`, [], async (folder) => {
    const file = join(folder, "package.json");
    const description = await readFile(file, "utf8");
    expect(description).toContain('"makemore-web": "file:../.."');
    await writeFile(file, description.replace("file:../..", `file:${inject("packed")}`));
  });
}

/**
 * Installs a copy of a folder.
 *
 * @param added packages to add to its package.json
 * @param prepare changes the copy before it is installed
 */
async function installFrom(
  original: string,
  added: readonly string[],
  prepare: (folder: string) => Promise<void>,
): Promise<Consumer> {
  const name = basename(original);
  const folder = await mkdtemp(join(inject("folder"), `${name}-`));
  await cp(original, folder, {
    recursive: true,
    filter: (file) => basename(file) !== "node_modules",
  });
  await prepare(folder);
  const consumer: Consumer = {
    folder,
    async run(command) {
      const tool = launch(command, folder);
      const limit = setTimeout(tool.kill, RUN_SECONDS * 1000);
      const [code] = await tool.ended.finally(() => clearTimeout(limit));
      const what = code === null ? `was ended after ${RUN_SECONDS} s` : "failed";
      if (code !== 0) throw new Error(`${name}: \`${command}\` ${what}.\n${tool.output()}`);
    },
    async start(command, path = "") {
      const attempt = async () => {
        const port = await freePort();
        const server = launch(command(port), folder);
        onTestFinished(server.kill);
        const url = `http://localhost:${port}/${path}`;
        const deadline = Date.now() + START_SECONDS * 1000;
        while (server.running() && Date.now() < deadline) {
          const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
          if (answer?.ok) return url;
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        const what = server.running() ? `did not answer in ${START_SECONDS} s` : "ended";
        throw new Error(`${name}: \`${command(port)}\` ${what}.\n${server.output()}`);
      };
      // Try again once, because another process may take the port before the tool does.
      return attempt().catch(attempt);
    },
  };
  const packages = added.map((file) => `"${file}"`).join(" ");
  await consumer.run(`npm install --ignore-scripts --no-audit --no-fund --prefer-offline ${packages}`);
  return consumer;
}

/** A running shell command. */
interface Running {
  /** Its output so far. */
  output(): string;
  running(): boolean;
  /** Its exit code, or null and the signal that ended it. */
  readonly ended: Promise<[code: number | null, signal: string | null]>;
  /** Ends the command and the processes that it started. */
  kill(): void;
}

function launch(command: string, folder: string): Running {
  // Detached, so that it has its own process group: ending only the shell would not end the tools that it started.
  const child = spawn(command, {
    cwd: folder,
    env,
    shell: true,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  const running = () => child.exitCode === null && child.signalCode === null;
  return {
    output: () => output,
    running,
    ended: once(child, "close") as Running["ended"],
    kill: () => {
      if (child.pid !== undefined && running()) process.kill(-child.pid, "SIGKILL");
    },
  };
}

/** Returns the commands under a heading of docs/bundlers.md, as a reader would copy them. */
export async function documentedCommand(heading: string): Promise<string> {
  return (await fenced("docs/bundlers.md", "sh", heading)).join("").trim();
}

/**
 * Returns the fenced blocks of a Markdown file in one language.
 *
 * @param heading if given, only the blocks under this heading
 */
export async function fenced(file: string, language: string, heading?: string): Promise<string[]> {
  let text = await readFile(root + file, "utf8");
  if (heading !== undefined)
    text = text.split(/^#+ /m).find((section) => section.startsWith(`${heading}\n`)) ?? "";
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))];
  expect(blocks, `\`\`\`${language} in ${file}, ${heading}`).not.toEqual([]);
  return blocks.map((block) => block[1] ?? "");
}

/** Returns the numbers in the row of a Markdown table whose first cell is `name`. */
export async function markdownTable(file: string, name: string): Promise<number[]> {
  const row =
    (await readFile(root + file, "utf8")).match(
      new RegExp(`^\\|[^|]*${name}[^|]*\\|([\\d,| ]*)$`, "m"),
    )?.[1] ?? "";
  return (row.match(/[\d,]+/g) ?? []).map((number) => Number(number.replaceAll(",", "")));
}

/** Serves folders until the test ends. */
export async function host(...[folders, headers, pages]: Parameters<typeof serve>): Promise<StaticServer> {
  const server = await serve(folders, headers, pages);
  onTestFinished(() => server.close());
  return server;
}

/** Makes a folder with the scenario, its words, and a main file with this text. */
export async function scenarioFolder(main: string): Promise<string> {
  const folder = await mkdtemp(join(inject("folder"), "page-"));
  await addScenario(folder);
  await writeFile(join(folder, "main.js"), main);
  return folder;
}

async function addScenario(folder: string): Promise<void> {
  await cp(`${here}scenario.js`, join(folder, "scenario.js"));
  await writeFile(join(folder, "words.js"), `export default ${JSON.stringify(words)};\n`);
}

const browsers = new Map<boolean, Promise<Browser>>();
afterAll(async () => {
  for (const browser of browsers.values()) await (await browser).close();
});

/**
 * Opens a page in Chromium until the test ends. Without `gpu` it has no WebGPU, so tfjs runs on its WebAssembly.
 *
 * @param profile whether the browser's profile is on disk, as visitors have it. A profile in memory, as in a private
 *   window, does not cache a file as large as ort.wasm
 */
export async function openPage({ gpu = false, profile = false } = {}): Promise<Page> {
  const args = chromiumArgs.filter((arg) => gpu || !arg.includes("webgpu"));
  const options = { executablePath: chromiumPath(), args, timeout: 120_000 };
  const context = profile
    ? await chromium.launchPersistentContext(await mkdtemp(join(inject("folder"), "profile-")), options)
    : await (await browser()).newContext();
  onTestFinished(() => context.close());
  return context.newPage();

  function browser(): Promise<Browser> {
    const launched = browsers.get(gpu) ?? chromium.launch(options);
    browsers.set(gpu, launched);
    return launched;
  }
}

/** Opens a page, waits for the outcome of its scenario, and checks it. */
export async function expectScenario(url: string): Promise<Page> {
  const page = await openPage();
  const log: string[] = [];
  page.on("console", (message) => log.push(message.text()));
  page.on("pageerror", (error) => log.push(String(error)));
  await page.goto(url);
  expectOutcome(await outcome(page, log), log);
  return page;
}

/** Waits for the outcome of a page's scenario. */
export function outcome(page: Page, log: string[] = []): Promise<object> {
  return poll(() => page.evaluate<object | undefined>(() => Reflect.get(globalThis, "outcome")), log);
}

/**
 * Asks again until there is an answer. A Content-Security-Policy would refuse playwright's own `waitForFunction`.
 */
export async function poll<T>(ask: () => Promise<T>, log: string[] = []): Promise<NonNullable<T>> {
  for (let i = 0; i < 900; i++) {
    const answer = await ask().catch((error) => {
      // The page is reloading. Vite reloads it once it knows the app's imports.
      if (!String(error).includes("Execution context was destroyed")) throw error;
    });
    if (answer !== undefined && answer !== null) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`No answer in 90 seconds. The console says:\n${log.join("\n")}`);
}

/** Checks that training lowered the loss, that the exported file gives the same samples, and that the other engines were loaded. */
export function expectOutcome(outcome: unknown, log: string[] = []): void {
  expect(outcome, log.join("\n")).toMatchObject({
    step: 200,
    backend: "wasm",
    oneClass: true,
    samples: Array(5).fill(expect.stringMatching(/^[a-z]+$/)),
    tfjs: { device: "wasm (tfjs)", losses: Array(3).fill(expect.any(Number)) },
    // The engine's file was loaded, and found that the page has no WebGPU.
    webgpu: { notices: [expect.stringContaining("no WebGPU adapter")] },
  });
  const { losses, samples, again, tfjs } = outcome as {
    losses: number[];
    samples: string[];
    again: string[];
    tfjs: { losses: number[] };
  };
  expect(losses).toHaveLength(200);
  // An untrained model is nearly uniform over 27 symbols: ln 27 = 3.30.
  expect(losses[0]).toBeGreaterThan(3);
  expect(losses.slice(-20).reduce((a, b) => a + b) / 20).toBeLessThan(2.8);
  expect(again).toEqual(samples);
  // The same seed and words give both engines the same first minibatch.
  expect(tfjs.losses[0]).toBeCloseTo(losses[0] ?? 0, 4);
}

/** Returns a free port. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "localhost", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No free port.");
  return address.port;
}

/** Starts WebKitGTK over WebDriver on a virtual display, with a temporary home folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Builder, Capabilities, type WebDriver } from "selenium-webdriver";
import type { findWebKit } from "../../scripts/browsers.mjs";
import { freePort } from "./consumer";

/** Maximum time for each of display, driver and session to start, ms. */
const START_TIME = 60_000;

export interface WebKit {
  browser: WebDriver;
  close(): Promise<void>;
}

/**
 * Opens a browser. Each part of the start has `START_TIME`, because WebKit's driver waits for its browser
 * without a limit.
 *
 * @throws Error with what the driver and the browser printed, if they do not start
 */
export async function openWebKit(found: NonNullable<ReturnType<typeof findWebKit>>): Promise<WebKit> {
  const parts = new Parts();
  try {
    return { browser: await start(found, parts), close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw new Error(`${error instanceof Error ? error.message : error}\n${parts.printed}`);
  }
}

async function start(found: NonNullable<ReturnType<typeof findWebKit>>, parts: Parts): Promise<WebDriver> {
  const home = await parts.makeFolder();
  const xvfb = parts.spawn(
    found.xvfb,
    ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
    {},
  );
  const display = await within("the virtual display", displayNumber(xvfb));
  const port = await freePort();
  parts.spawn(found.driver, [`--port=${port}`], {
    DISPLAY: `:${display}`,
    // WebKit's Intl does not support the C locale.
    LANG: "en_US.UTF-8",
    HOME: home,
    // The driver connects to the browser at 127.0.0.1. Without this it would use the machine's proxy.
    GIO_USE_PROXY_RESOLVER: "dummy",
  });
  const address = `http://127.0.0.1:${port}`;
  await within("WebKitWebDriver", listening(address));
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary: found.browser, args: ["--automation"] },
  });
  return within(
    "a session of WebKitWebDriver",
    new Builder().usingServer(address).withCapabilities(capabilities).build(),
  );
}

/**
 * Waits for the number of the display, which Xvfb prints. The pipe stays open: Xvfb prints the number and the line end in
 * two writes, and exits if the second one fails.
 */
function displayNumber({ stdout }: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let line = "";
    stdout?.on("data", (text) => {
      line += text;
      if (line.endsWith("\n")) resolve(Number(line));
    });
  });
}

/** Waits until the driver answers, because it does not listen at once. */
async function listening(address: string): Promise<void> {
  for (const until = Date.now() + START_TIME; Date.now() < until; ) {
    const answer = await fetch(`${address}/status`, { signal: AbortSignal.timeout(5000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Returns the result of `work`, or throws after `START_TIME`. */
async function within<T>(part: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${part} did not start within ${START_TIME / 1000} s.`)),
      START_TIME,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The processes and the temporary folder of one start. */
class Parts {
  /** Output of the processes. */
  printed = "";
  readonly #processes: ChildProcess[] = [];
  #folder: string | undefined;

  async makeFolder(): Promise<string> {
    this.#folder = await mkdtemp(join(tmpdir(), "makemore-web-webkit-"));
    return this.#folder;
  }

  /** Starts a process in its own process group, so that `close` also ends the processes that it starts. */
  spawn(command: string, args: string[], env: Record<string, string>): ChildProcess {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const pipe of [child.stdout, child.stderr])
      pipe?.on("data", (text) => {
        this.printed += text;
      });
    child.on("error", (error) => {
      this.printed += `${error}\n`;
    });
    this.#processes.push(child);
    return child;
  }

  async close(): Promise<void> {
    for (const { pid } of this.#processes) {
      try {
        if (pid) process.kill(-pid, "SIGKILL");
      } catch {
        // The process has already ended.
      }
    }
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

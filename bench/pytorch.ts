/** Runs a script of this folder with PyTorch, and keeps it running, so that peers can take turns. */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Debian's Python, whose PyTorch uses the system's OpenBLAS; `PYTHON` selects another one. */
const python = process.env.PYTHON ?? "/usr/bin/python3";

/** Text for tables if PyTorch is missing. */
export const howToInstall = "not installed (Debian: apt-get install python3-torch libopenblas0-pthread)";

/** Tells whether PyTorch is installed. */
export function havePyTorch(): boolean {
  return spawnSync(python, ["-c", "import torch"], { stdio: "ignore", timeout: 60_000 }).status === 0;
}

/** A running PyTorch. */
export interface PyTorch {
  /** Sends a command of bench/peer.py and returns its answer. */
  ask<Answer>(command: object): Promise<Answer>;
  close(): void;
}

/**
 * Starts it.
 *
 * @param script the lecture's WaveNet, or makemore's models that read words
 */
export function startPyTorch(script: "pytorch.py" | "families.py" = "pytorch.py"): PyTorch {
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      ...{ OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" },
      // Otherwise the import of peer.py would create bench/__pycache__.
      PYTHONDONTWRITEBYTECODE: "1",
    },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`PyTorch ended with ${child.exitCode ?? child.signalCode}.`);
      return JSON.parse(value);
    },
    close: () => void child.kill(),
  };
}

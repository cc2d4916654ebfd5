/** PyTorch as a peer: a script of this folder, kept running so that its rounds lie between the others'. */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Debian's is built against the system's OpenBLAS; another Python can be named. */
const python = process.env.PYTHON ?? "/usr/bin/python3";

/** What a table says where PyTorch is absent. */
export const howToInstall = "not installed (Debian: apt-get install python3-torch libopenblas0-pthread)";

/** Whether PyTorch is there. */
export function havePyTorch(): boolean {
  return spawnSync(python, ["-c", "import torch"], { stdio: "ignore", timeout: 60_000 }).status === 0;
}

/** A running PyTorch. */
export interface PyTorch {
  /** One command and its answer, as bench/pytorch.py has them. */
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
    env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" },
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

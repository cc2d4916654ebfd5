/** Forwards calls from the bench to the workers: one worker per engine, made on first use. */
import { type Remote, wrap } from "comlink";
import type { BenchWorker } from "./worker";

const workers = new Map<string, { worker: Worker; remote: Remote<BenchWorker> }>();

function remote(engine: string): Remote<BenchWorker> {
  const known = workers.get(engine);
  if (known) return known.remote;
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: engine });
  const made = { worker, remote: wrap<BenchWorker>(worker) };
  workers.set(engine, made);
  return made.remote;
}

/** Functions that the bench calls with Playwright. */
const page = {
  remote,
  /** Ends an engine's worker and frees its memory. */
  close(engine: string) {
    workers.get(engine)?.worker.terminate();
    workers.delete(engine);
  },
};

declare global {
  var bench: typeof page;
}
globalThis.bench = page;

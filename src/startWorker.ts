import type { MakemoreOptions } from "./types";

/** Where the worker file is: where the page says, or beside this file. */
export function workerURL(options: MakemoreOptions): URL {
  return options.workerURL === undefined
    ? new URL("./worker.js", import.meta.url)
    : new URL(options.workerURL, document.baseURI);
}

/**
 * Starts the worker. A browser refuses a worker script of another origin (a CDN's), but not a
 * local one that imports it.
 */
export function startWorker(url: URL): Worker {
  if (url.origin === location.origin) return new Worker(url, { type: "module" });
  const script = URL.createObjectURL(
    new Blob([`import ${JSON.stringify(url.href)}`], { type: "text/javascript" }),
  );
  const worker = new Worker(script, { type: "module" });
  // The script is fetched by then; revoking it at once would be too early.
  worker.addEventListener("message", () => URL.revokeObjectURL(script), { once: true });
  return worker;
}

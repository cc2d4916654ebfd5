/**
 * Runs the worker script in a thread of Node, after defining the globals of a browser's worker. dist/node.js
 * contains this file as a string, so that no bundler or server has to find another file.
 */
const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
const { readFileSync } = process.getBuiltinModule("node:fs");
const { readFile } = process.getBuiltinModule("node:fs/promises");

/** Defines a global, even if the runtime has a read-only one. */
function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

define("self", globalThis);
// ONNX Runtime resolves URLs against the origin, which would be "null" for a file: URL.
define("location", { href: workerData, origin: "file://" });
// tfjs and ONNX Runtime recognise a worker by it.
define("WorkerGlobalScope", class WorkerGlobalScope {});
if (typeof navigator === "undefined") define("navigator", {});

// Deno does not queue messages while the script loads.
const early: unknown[] = [];
const keep = (data: unknown) => early.push(data);
parentPort?.on("message", keep);

/** Listeners for messages. */
const readers = new Set<(data: unknown) => void>();
const listeners = new Map<unknown, (data: unknown) => void>();
define("addEventListener", (type: string, listener: (event: { data: unknown }) => void) => {
  const heard = (data: unknown) => listener({ data });
  listeners.set(listener, heard);
  parentPort?.on(type, heard);
  if (type !== "message") return;
  parentPort?.off(type, keep);
  readers.add(heard);
  // Later, because the script adds more than one listener.
  queueMicrotask(() => {
    for (const data of early.splice(0)) for (const reader of readers) reader(data);
  });
});
define("removeEventListener", (type: string, listener: unknown) => {
  const heard = listeners.get(listener);
  if (heard) {
    parentPort?.off(type, heard);
    readers.delete(heard);
  }
  listeners.delete(listener);
});
define("postMessage", parentPort?.postMessage.bind(parentPort));

const fetchFromWeb = globalThis.fetch;
define("fetch", async (input: string | URL | Request, init?: RequestInit) => {
  const url = input instanceof Request ? input.url : String(input);
  if (!url.startsWith("file:")) return fetchFromWeb(input, init);
  // Streaming compilation requires WebAssembly's own media type.
  const type = url.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(await readFile(new URL(url)), { headers: { "content-type": type } });
});

// The WebAssembly of tfjs detects a worker by `importScripts`, and then reads file: URLs with the second global.
define("importScripts", () => {});
define(
  "XMLHttpRequest",
  class {
    status = 200;
    response: ArrayBufferLike | undefined;
    onload = () => {};
    #url = "";
    open(_method: string, url: string): void {
      this.#url = url;
    }
    send(): void {
      this.response = new Uint8Array(readFileSync(new URL(this.#url))).buffer;
      this.onload();
    }
  },
);

// If the script does not load, the unhandled rejection ends the thread with its error.
void import(workerData);

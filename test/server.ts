import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css",
  ".json": "application/json",
  ".map": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

export interface StaticServer {
  /** `http://localhost:port`. */
  readonly origin: string;
  /** Requested paths, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * Starts a plain static file server on a free port, as simple as the simplest web hosts.
 *
 * @param folders by URL prefix, such as `{ "/": "site", "/dist/": "dist" }`
 * @param headers for every response: a Content-Security-Policy, CORS, isolation
 * @param pages contents by path, which take precedence over files; a list is sent piece by piece, as over a slow line
 */
export async function serve(
  folders: Record<string, string>,
  headers: Record<string, string> = {},
  pages: Record<string, string | readonly string[]> = {},
): Promise<StaticServer> {
  const requests: string[] = [];
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(`http://localhost${request.url}`).pathname);
    requests.push(path);
    const page = pages[path];
    if (page !== undefined) {
      response.writeHead(200, { ...headers, "content-type": "text/html; charset=utf-8" });
      if (typeof page === "string") response.end(page);
      else void sendSlowly(page, response);
      return response;
    }
    // Many hosts answer a path with "//" with 404, but the file system accepts it.
    const prefix = path.includes("//") ? undefined : prefixes.find((p) => path.startsWith(p));
    const folder = prefix === undefined ? undefined : folders[prefix];
    let file = folder === undefined || prefix === undefined ? "" : join(folder, path.slice(prefix.length));
    if (file && existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (!file || !existsSync(file)) {
      response.writeHead(404, { ...headers, "content-type": "text/html" });
      return response.end("<!doctype html><title>Not found</title>");
    }
    response.writeHead(200, {
      ...headers,
      "content-type": types[extname(file)] ?? "application/octet-stream",
    });
    return createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function sendSlowly(pieces: readonly string[], response: ServerResponse): Promise<void> {
  for (const piece of pieces) {
    response.write(piece);
    await wait(20);
  }
  response.end();
}

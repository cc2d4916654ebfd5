/** The URLs from which the page loads the package's other files. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { locateAssets } from "../../src/assetURLs";
import { FakeWorker } from "./fakeWorker";

beforeEach(() => {
  vi.stubGlobal("Worker", FakeWorker);
  document.head.innerHTML = '<base href="https://site.example/app/page.html?query#hash">';
});
afterEach(() => {
  vi.unstubAllGlobals();
  document.head.innerHTML = "";
});

/** Returns the URLs of the seven files in a folder. */
const inFolder = (folder: string) => ({
  worker: `${folder}worker.js`,
  webgpu: `${folder}webgpu.js`,
  tfjs: `${folder}tfjs.js`,
  tfjsWasm: `${folder}tfjs.wasm`,
  diagnostics: `${folder}diagnostics.js`,
  ort: `${folder}ort.js`,
  ortWasm: `${folder}ort.wasm`,
});

test.each<[folder: string, ...given: (string | URL)[]]>([
  [
    "https://site.example/app/files/",
    "files",
    "files/",
    "./files",
    "/app/files",
    "/app/files/",
    "/app/files/?v=1#part",
    "https://site.example/app/files",
    "https://site.example/app/files/",
    new URL("https://site.example/app/files"),
    new URL("https://site.example/app/files/"),
  ],
  ["https://site.example/", "/", "..", "../", "https://site.example", new URL("https://site.example")],
  ["https://site.example/app/", ".", "./", "/app", "/app/"],
  ["https://cdn.example/", "//cdn.example", "//cdn.example/", "https://cdn.example", "https://cdn.example/"],
  ["https://cdn.example/a%20b/", "https://cdn.example/a b", "https://cdn.example/a%20b/"],
])("assetsURL: %s, however it is given", (folder, ...given) => {
  for (const assetsURL of given)
    expect(locateAssets({ assetsURL }), String(assetsURL)).toEqual(inFolder(folder));
});

test("workerURL is the URL of a file, and is resolved like assetsURL", () => {
  for (const workerURL of ["w.js", "/app/w.js", new URL("https://site.example/app/w.js")])
    expect(locateAssets({ workerURL, assetsURL: "/" })).toEqual({
      ...inFolder("https://site.example/"),
      worker: "https://site.example/app/w.js",
    });
});

test.each(["http://[", "data:text/plain,folder", "mailto:folder"])(
  "assetsURL %s is refused, and the error names it",
  (assetsURL) => {
    expect(() => locateAssets({ assetsURL })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining(assetsURL) }),
    );
  },
);

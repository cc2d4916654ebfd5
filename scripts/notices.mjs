/**
 * Writes dist/THIRD-PARTY-NOTICES.txt while tsup builds. The file has the full licence of every package with code in
 * dist/, as these licences require.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const NOTICES = "THIRD-PARTY-NOTICES.txt";

/**
 * Reads a text of scripts/licenses/.
 *
 * @param {string} name
 */
const license = (name) => readFileSync(new URL(`licenses/${name}.txt`, import.meta.url), "utf8");

/**
 * Returns the Apache License with a copyright line.
 *
 * @param {string} copyright
 */
const apache = (copyright) => `${copyright}\n\n${license("apache-2.0")}`;

const tensorflow = () => apache("Copyright Google LLC. All rights reserved.");

/** @type {Record<string, (folder: string, version: string) => string>} The licence of packages that contain no file of it. */
const unfiled = {
  "@bufbuild/protobuf": (folder) => {
    const varint = readFileSync(`${folder}/dist/esm/wire/varint.js`, "utf8");
    const comment = varint.slice(0, varint.search(/^[^/]/m)).replace(/^\/\/ ?/gm, "");
    return `${apache("Copyright 2021-2026 Buf Technologies, Inc.")}\nvarint.js:\n\n${comment}`;
  },
  "onnxruntime-common": () => license("onnxruntime"),
  // The list of what ort.wasm may contain is ThirdPartyNotices.txt of the runtime's Python package. A new version needs its own.
  "onnxruntime-web": (_, version) =>
    `${license("onnxruntime")}\nWhat ONNX Runtime contains:\n\n${license(`onnxruntime-${version}-third-party`)}`,
  seedrandom: (folder) => readFileSync(`${folder}/README.md`, "utf8").replace(/^.*?(?=^Copyright)/ms, ""),
  "@tensorflow/tfjs": tensorflow,
  "@tensorflow/tfjs-core": tensorflow,
  "@tensorflow/tfjs-backend-cpu": tensorflow,
  "@tensorflow/tfjs-backend-webgpu": tensorflow,
  "@tensorflow/tfjs-backend-wasm": () =>
    `${tensorflow()}
tfjs.wasm contains XNNPACK, cpuinfo and parts of Emscripten, whose licences are in the list of onnxruntime-web under
"google/XNNPACK", "pytorch/cpuinfo" and "emsdk", and pthreadpool:

${license("pthreadpool")}`,
};

/** Inputs that carry compiled code of another package: our kernels its standard library, ONNX Runtime's script its types. */
const carriers = {
  "worker/engines/wasm/binaries.ts": "node_modules/assemblyscript",
  "node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs": "node_modules/onnxruntime-common",
};

/**
 * Returns the folders of the packages that an input of the bundler contains; none if it is the project's own code.
 *
 * @param {string} input relative to the root
 * @returns {string[]}
 */
function packageFolders(input) {
  const own = input.match(/^node_modules\/(.*\/node_modules\/)?(@[^/]+\/)?[^/]+/)?.[0];
  return [own, Reflect.get(carriers, input)].filter(Boolean);
}

/**
 * Returns the texts of a package's licence, with its NOTICE file if it has one.
 *
 * @param {string} folder
 * @param {{ name: string, version: string }} description its package.json
 * @throws Error if it has none
 */
function licenseOf(folder, { name, version }) {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
  const text = unfiled[name]?.(folder, version);
  if (text) return text;
  throw new Error(
    `${name} is bundled and contains no licence file: give its licence in scripts/notices.mjs.`,
  );
}

const preface = `The files of this folder contain code of the packages below, under their own licences.
ort.wasm is a file of onnxruntime-web, and tfjs.wasm one of @tensorflow/tfjs-backend-wasm.
`;

/**
 * Writes the notices.
 *
 * @param {ReadonlyMap<string, ReadonlySet<string>>} bundled files of dist/, by folder of the package that they contain
 * @param {string} output
 */
function writeNotices(bundled, output) {
  /** @type {Map<string, Set<string>>} Packages by licence text; many texts are equal. */
  const byText = new Map();
  for (const [folder, files] of [...bundled].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const description = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const { name, version, license: id } = description;
    const text = licenseOf(join(root, folder), description)
      .replace(/[ \t\r]+$/gm, "")
      .trim();
    const heading = `${name} ${version} (${id.replace(/^\((.*)\)$/, "$1")}), in ${[...files].sort().join(", ")}`;
    byText.set(text, (byText.get(text) ?? new Set()).add(heading));
  }
  const rule = "=".repeat(80);
  const sections = [...byText].map(
    ([text, headings]) => `${rule}\n${[...headings].join("\n")}\n${rule}\n\n${text}\n`,
  );
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, NOTICES), `${preface}\n${sections.join("\n")}`);
}

/** @type {Map<string, Set<string>>} */
const bundled = new Map();

/**
 * Records the packages in each bundle. The builds run in parallel, so each one that ends writes all packages recorded so far.
 *
 * @type {import("esbuild").Plugin}
 */
export const notices = {
  name: "notices",
  setup(build) {
    build.onEnd(({ metafile }) => {
      for (const [output, { inputs }] of Object.entries(metafile?.outputs ?? {}))
        for (const [input, { bytesInOutput }] of Object.entries(inputs))
          for (const folder of bytesInOutput > 0 ? packageFolders(input) : [])
            bundled.set(folder, (bundled.get(folder) ?? new Set()).add(basename(output)));
      writeNotices(bundled, build.initialOptions.outdir ?? "dist");
    });
  },
};

/**
 * Renames the sources of tfjs and ONNX Runtime in source maps after their packages. Their own source maps have paths in their
 * repositories, which would lead out of this package.
 *
 * @type {import("esbuild").Plugin}
 */
export const sourceNames = {
  name: "source-names",
  setup(build) {
    build.onEnd(({ outputFiles = [] }) => {
      for (const file of outputFiles.filter(({ path }) => path.endsWith(".map"))) {
        const map = JSON.parse(file.text);
        const sources = map.sources.map((/** @type {string} */ source) =>
          source
            .replace(/^(\.\.\/)+(?=tfjs-)/, "../../node_modules/@tensorflow/")
            .replace(/^(\.\.\/)+node_modules\/common\//, "../../node_modules/onnxruntime-common/"),
        );
        file.contents = Buffer.from(JSON.stringify({ ...map, sources }));
      }
    });
  },
};

/**
 * Compiles worker/engines/wasm/kernels (AssemblyScript) to worker/engines/wasm/binaries.ts. That file has two
 * builds, compressed and in base64, so that the worker needs no other file. Does nothing if no source has changed.
 *
 *     node scripts/build-kernels.mjs
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

const kernels = new URL("../worker/engines/wasm/kernels/", import.meta.url);
const output = new URL("../worker/engines/wasm/binaries.ts", import.meta.url);

/** Features that each build may use beyond WebAssembly 2.0. */
const builds = { simd: [], relaxed: ["--enable", "relaxed-simd"] };

/**
 * Clean-up passes only. Binaryen's -O levels also reorder the kernels' loads, which makes them slower. The
 * browser's compiler does the other optimisations.
 */
const passes = [
  "remove-unused-brs",
  "remove-unused-names",
  "precompute-propagate",
  "dce",
  "vacuum",
  "coalesce-locals",
  "reorder-locals",
  "remove-unused-module-elements",
];

/**
 * Compiles one build.
 *
 * @param {"simd" | "relaxed"} build
 * @param {string[]} options additional options for the compiler
 * @returns {Promise<Uint8Array>}
 */
async function compileKernels(build, options) {
  // Loaded only if needed, because the compiler is large.
  const { default: asc } = await import("assemblyscript/asc");
  /** @type {Uint8Array} */
  let binary = new Uint8Array(0);
  const { error, stderr } = await asc.main(
    [
      fileURLToPath(new URL("index.ts", kernels)),
      ...["--outFile", "kernels.wasm", "--runtime", "stub", "--noAssert", "--use", "abort="],
      ...["--optimizeLevel", "0", "--shrinkLevel", "0", "--runPasses", passes.join(",")],
      ...["--uncheckedBehavior", "always", "--enable", "simd", ...builds[build]],
      ...options,
    ],
    {
      writeFile: (_, contents) => {
        if (typeof contents !== "string") binary = contents;
      },
    },
  );
  if (error) throw new Error(`The kernels do not compile:\n${stderr}`, { cause: error });
  return binary;
}

/**
 * Returns the source of worker/engines/wasm/binaries.ts: the two builds in one compressed stream that alternates
 * blocks of both. The builds are nearly equal, so the second block of each pair costs almost nothing. Compressing
 * before base64 makes the download a quarter smaller, because gzip finds no repeats in base64.
 *
 * @param {string[]} options additional options for the compiler
 */
export async function kernelsModule(options = []) {
  const simd = await compileKernels("simd", options);
  const relaxed = await compileKernels("relaxed", options);
  // zlib looks back 32 KiB, so it finds the equal code even if its offset differs between the builds.
  const block = 8192;
  const blocks = [];
  for (let start = 0; start < Math.max(simd.length, relaxed.length); start += block)
    blocks.push(simd.subarray(start, start + block), relaxed.subarray(start, start + block));
  const stream = deflateSync(Buffer.concat(blocks), { level: 9 }).toString("base64");
  return [
    "/** Bytes per block of the stream, which alternates blocks of the two builds, `simd` first. */",
    `export const block = ${block};`,
    "/** Bytes of each build: plain SIMD, and with relaxed SIMD's fused multiply-add. */",
    `export const lengths = { simd: ${simd.length}, "relaxed-simd": ${relaxed.length} };`,
    "/** Both builds as one zlib stream, base64. */",
    `export const stream =\n  "${stream}";\n`,
  ].join("\n");
}

/** Returns a hash of everything that the builds depend on. */
function sourceHash() {
  const hash = createHash("sha256");
  const names = readdirSync(kernels, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((file) => file.endsWith(".ts")).sort())
    hash.update(name).update(readFileSync(new URL(name.replaceAll("\\", "/"), kernels)));
  hash.update(readFileSync(new URL(import.meta.url)));
  hash.update(readFileSync(new URL("../node_modules/assemblyscript/package.json", import.meta.url)));
  return hash.digest("hex");
}

async function main() {
  const stamp = `// Made by scripts/build-kernels.mjs from sources with hash ${sourceHash()}.`;
  try {
    if (readFileSync(output, "utf8").startsWith(stamp)) return;
  } catch {
    // The file does not exist yet.
  }
  const code = await kernelsModule();
  writeFileSync(output, `${stamp}\n${code}`);
  console.log(`kernels: ${code.length} bytes`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

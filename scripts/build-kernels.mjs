/**
 * Compiles worker/engines/wasm/kernels (AssemblyScript) to worker/engines/wasm/binaries.ts: two
 * builds, compressed and as base64, so that the worker needs no further file. Skipped where nothing changed.
 *
 *     node scripts/build-kernels.mjs
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

const kernels = new URL("../worker/engines/wasm/kernels/", import.meta.url);
const output = new URL("../worker/engines/wasm/binaries.ts", import.meta.url);

/** What the two builds may use beyond WebAssembly's second version. */
const builds = { simd: [], relaxed: ["--enable", "relaxed-simd"] };

/**
 * Clean-up only. Binaryen's -O levels also move loads away from where the kernels put them, which
 * costs more than they gain; the browser's own compiler does what is left.
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
 * One build as a binary.
 *
 * @param {"simd" | "relaxed"} build
 * @param {string[]} options more for the compiler
 * @returns {Promise<Uint8Array>}
 */
async function compileKernels(build, options) {
  // The compiler is large and only loaded where something is to be compiled.
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
 * worker/engines/wasm/binaries.ts: the two builds in one compressed stream, in turn a block of each. They are
 * nearly equal, and a block of the second is then close enough to its twin to cost next to nothing. The stream is base64
 * of a compressed binary, which is a quarter smaller to download than of a plain one: gzip finds no repeats in base64.
 *
 * @param {string[]} options more for the compiler
 */
export async function kernelsModule(options = []) {
  const simd = await compileKernels("simd", options);
  const relaxed = await compileKernels("relaxed", options);
  // zlib looks back by 32 KiB: far enough for the twin, also where the builds have drifted apart.
  const block = 8192;
  const blocks = [];
  for (let start = 0; start < Math.max(simd.length, relaxed.length); start += block)
    blocks.push(simd.subarray(start, start + block), relaxed.subarray(start, start + block));
  const stream = deflateSync(Buffer.concat(blocks), { level: 9 }).toString("base64");
  return [
    "/** Bytes that stand together in the stream before it goes on with the other build. */",
    `export const block = ${block};`,
    "/** Bytes of each build: baseline SIMD, and with relaxed SIMD's fused multiply-add. */",
    `export const lengths = { simd: ${simd.length}, "relaxed-simd": ${relaxed.length} };`,
    "/** Both, a block of each in turn, the baseline first: a zlib stream, base64. */",
    `export const stream =\n  "${stream}";\n`,
  ].join("\n");
}

/** Changes whenever anything that the builds depend on does. */
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
    // There is none yet.
  }
  const code = await kernelsModule();
  writeFileSync(output, `${stamp}\n${code}`);
  console.log(`kernels: ${code.length} bytes`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

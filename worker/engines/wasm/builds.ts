/** Unpacks, chooses and compiles one of the two builds of the kernels (scripts/build-kernels.mjs). */
import { MakemoreError } from "../../../src/errors";
import { FREE_MEMORY } from "../../startFailure";
import { block, lengths, stream } from "./binaries";
import type { Kernels } from "./exports";

/** `relaxed-simd` has fused multiply-add, `simd` does not; an engine's `device` says which one runs. */
export type Build = keyof typeof lengths;

/**
 * Instantiates the kernels, with their own memory, and makes something of them.
 *
 * @param build default: the best that this machine can run
 * @param make allocates all memory
 * @param tooLarge the message if the memory does not suffice
 * @throws MakemoreError `UNSUPPORTED` if this machine cannot run the kernels, or the memory does not suffice
 */
export async function withKernels<T>(
  build: Build | undefined,
  make: (kernels: Kernels, device: Build) => T,
  tooLarge = "The model needs more memory than the wasm kernels can have.",
): Promise<T> {
  const device = build ?? (await bestBuild());
  const kernels = await instantiate(device);
  try {
    return make(kernels, device);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
    throw new MakemoreError("UNSUPPORTED", tooLarge, { cause });
  }
}

/** Unpacks and compiles the best build, so that `withKernels` finds it ready: browsers cache what they compiled. */
export async function warmUpKernels(): Promise<void> {
  await instantiate(await bestBuild());
}

/** Returns the first build that this machine can validate. */
async function bestBuild(): Promise<Build> {
  if (typeof WebAssembly === "object" && typeof DecompressionStream === "function")
    for (const build of ["relaxed-simd", "simd"] as const)
      if (WebAssembly.validate((await binaries())[build])) return build;
  throw new MakemoreError(
    "UNSUPPORTED",
    'The wasm engine needs WebAssembly with SIMD and DecompressionStream (Chrome 91, Firefox 113, Safari 16.4 or later); update the browser, or set backend: "tfjs".',
  );
}

async function instantiate(build: Build): Promise<Kernels> {
  try {
    const { instance } = await WebAssembly.instantiate((await binaries())[build]);
    // TypeScript cannot know the exports of a binary.
    return instance.exports as unknown as Kernels;
  } catch (error) {
    // The build is valid here, so only a policy can make it fail to compile.
    const why =
      error instanceof WebAssembly.CompileError
        ? "where a Content-Security-Policy is set, its script-src needs 'wasm-unsafe-eval'"
        : `the browser lacks memory; ${FREE_MEMORY}`;
    throw new MakemoreError(
      "UNSUPPORTED",
      `The ${build} kernels cannot be compiled here (${error}): ${why}.`,
      { cause: error },
    );
  }
}

type Binaries = Record<Build, Uint8Array<ArrayBuffer>>;

let unpacked: Promise<Binaries> | undefined;
/** Unpacks the binaries once; does not cache a failure. */
function binaries(): Promise<Binaries> {
  unpacked ??= unpack().catch((error) => {
    unpacked = undefined;
    throw error;
  });
  return unpacked;
}

async function unpack(): Promise<Binaries> {
  const compressed = Uint8Array.from(atob(stream), (character) => character.charCodeAt(0));
  const plain = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(plain).arrayBuffer());
  const simd = new Uint8Array(lengths.simd);
  const relaxed = new Uint8Array(lengths["relaxed-simd"]);
  let read = 0;
  for (let start = 0; read < bytes.length; start += block)
    for (const build of [simd, relaxed]) {
      const length = Math.max(0, Math.min(block, build.length - start));
      build.set(bytes.subarray(read, read + length), Math.min(start, build.length));
      read += length;
    }
  return { simd, "relaxed-simd": relaxed };
}

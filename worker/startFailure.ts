/** Why a .wasm file that arrived does not start: browsers and libraries report the same cause in different ways. */
import { MakemoreError, SERVE_TOGETHER } from "../src/errors";

/** The smallest module: a Content-Security-Policy refuses it like any other. */
const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
/** A function with two SIMD instructions, as in wasm-feature-detect. */
const simd = Uint8Array.of(
  ...empty,
  ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/** The fix if memory ran out. */
export const FREE_MEMORY = "take a smaller model or batchSize, close other tabs, or reload the page";

/**
 * Finds out whether the browser lacks something, the file is damaged, or memory ran out.
 *
 * @param reason what the start failed with, if it is known
 */
export async function startFailure(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  reason?: unknown,
): Promise<MakemoreError> {
  const why = reason === undefined ? "" : ` (${reason})`;
  const isForbidden = await WebAssembly.compile(empty).then(
    () => false,
    (error) => error instanceof WebAssembly.CompileError,
  );
  if (isForbidden || !WebAssembly.validate(simd)) return cannotRun(url, why);
  if (!WebAssembly.validate(bytes))
    return new MakemoreError(
      "LOAD_FAILED",
      `${url} arrived damaged or cut short${why}: ${bytes.length} bytes that are no WebAssembly. ${SERVE_TOGETHER}`,
    );
  return new MakemoreError(
    "WORKER_FAILED",
    `${url} cannot start${why}: the browser lacks memory; ${FREE_MEMORY}.`,
  );
}

/** @param why in parentheses */
export function cannotRun(url: string, why: string): MakemoreError {
  return new MakemoreError(
    "UNSUPPORTED",
    `${url} cannot run here${why}: it takes a browser that has WebAssembly with SIMD (Chrome 91, Firefox 89, Safari 16.4 or later), and 'wasm-unsafe-eval' in the script-src of a Content-Security-Policy.`,
  );
}

import { MakemoreError, SERVE_TOGETHER } from "../src/errors";

/**
 * Fetches a .wasm file, and checks its first bytes, because servers answer a missing file with a page of HTML.
 *
 * @throws MakemoreError `LOAD_FAILED`
 */
export async function fetchWasm(url: string): Promise<Uint8Array<ArrayBuffer>> {
  let got: string;
  try {
    const response = await fetch(url);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok && String(bytes.subarray(0, 4)) === "0,97,115,109") return bytes;
    got = `status ${response.status}, type ${response.headers.get("content-type")}, not WebAssembly`;
  } catch (error) {
    got = `${error}: it cannot be reached, or the Content-Security-Policy (connect-src) refuses it`;
  }
  throw new MakemoreError("LOAD_FAILED", `${url} did not load (${got}). ${SERVE_TOGETHER}`);
}

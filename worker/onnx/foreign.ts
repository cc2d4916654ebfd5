/** Recognises files that are not ONNX, so that the error of `load` can say what to do. */
import { formatValue } from "../../src/formatValue";
import { isMarkup } from "../data/text";

/** First bytes of other file formats. */
const SIGNATURES: readonly (readonly [signature: string, what: string])[] = [
  ["PK\x03\x04", "a zip archive; unpack it, and give the .onnx file in it"],
  ["\x1f\x8b", "a gzip file; decompress it first"],
  ["%PDF", "a PDF file"],
  ["\x89PNG", "an image"],
  ["\xff\xd8\xff", "an image"],
  ["GIF8", "an image"],
  ["\x80\x02", "a Python pickle; its weights cannot be taken"],
  ["\x89HDF", "an HDF5 file; its weights cannot be taken"],
  ["\xff\xfe", "a UTF-16 text; words go to train(text)"],
  ["\xfe\xff", "a UTF-16 text; words go to train(text)"],
];

/** Control characters in texts: tab and line separators. */
const TEXT_CONTROLS = [9, 10, 11, 12, 13, 28, 29, 30];

/** Says what a file is and what to do; undefined if it may be an ONNX file. */
export function describeForeign(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "empty, or not whole (0 bytes)";
  const start = bytes.subarray(0, 1000);
  for (const [signature, what] of SIGNATURES)
    if ([...signature].every((character, i) => start[i] === character.charCodeAt(0))) return what;
  // The first bytes of an ONNX file are types and lengths, some of them control characters.
  if (start.some((byte) => byte < 32 && !TEXT_CONTROLS.includes(byte))) return undefined;
  const text = new TextDecoder().decode(start).trim();
  if (isMarkup(text))
    return "an HTML or XML document; where a file is missing, many servers send such a page: check the address";
  if (text.startsWith("version https://git-lfs"))
    return "a Git LFS pointer; get the file itself with git lfs pull";
  if (/^[[{]/.test(text)) return "JSON; give the bytes that exportONNX returned";
  const line = formatValue(text.split(/[\r\n]/, 1)[0]);
  return /^[^\n]*[,;\t][^\n]*\r?\n[^\n]*[,;\t]/.test(text)
    ? `a table that begins with ${line}; its words go to train(text, { column })`
    : `a text that begins with ${line}; words go to train(text)`;
}

import { MakemoreError } from "./errors";
import type { EncodedWords } from "./protocol";
import { kindOf, show } from "./show";

/** The line separators of Python's `str.splitlines`, which the worker splits a text at. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: three of them separate lines.
const LINE_SEPARATOR = /[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;

/** Likely mistakes: what was given, and what its caller meant to give. */
const FIXES: Readonly<Record<string, string>> = {
  Promise: "await it",
  Response: "give await response.text()",
  Blob: "give await blob.text()",
  File: "give await file.text()",
  Map: "give its keys() or values()",
  AsyncGenerator: "collect it in an array",
  ReadableStream: "collect it in an array",
};

/**
 * Words as UTF-8, one a line: one buffer, which is transferred to the worker whatever their number.
 *
 * @param words any iterable of strings, or one string with a word a line
 * @param call the method they were given to, for messages
 * @throws MakemoreError `INVALID_WORDS` for what is not words
 */
export function encodeWords(words: Iterable<string> | string, call: string): EncodedWords {
  if (typeof words === "string") return { bytes: new TextEncoder().encode(words), isText: true };
  const kind = kindOf(words);
  const isBytes = ArrayBuffer.isView(words) || /ArrayBuffer$/.test(kind);
  const fix = isBytes ? "decode it with new TextDecoder().decode(bytes)" : FIXES[kind];
  if (typeof words?.[Symbol.iterator] !== "function" || fix)
    throw new MakemoreError(
      "INVALID_WORDS",
      `${call}: the words are ${show(words)}${fix ? `: ${fix}` : ""}; they must be an iterable of strings, or one string with a word a line.`,
    );
  const lines: string[] = [];
  for (const word of words) {
    const trimmed = typeof word === "string" ? word.trim() : undefined;
    if (trimmed === undefined || LINE_SEPARATOR.test(trimmed))
      throw new MakemoreError(
        "INVALID_WORDS",
        `${call}: word ${lines.length} is ${show(word)}; each word must be a string on one line.`,
      );
    lines.push(trimmed);
  }
  if (lines.length === 0)
    throw new MakemoreError("INVALID_WORDS", `${call}: there are no words; give at least one.`);
  // A line break ends every line, so that a last empty word is seen as one.
  return { bytes: new TextEncoder().encode(`${lines.join("\n")}\n`), isText: false };
}

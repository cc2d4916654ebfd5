import { MakemoreError } from "./errors";
import { show } from "./show";

/**
 * Words as UTF-8, one a line: one buffer, which is transferred to the worker whatever their number.
 *
 * @param words any iterable of strings, or one string with a word a line
 * @param call the method they were given to, for messages
 * @throws MakemoreError `INVALID_WORDS` for what is not words
 */
export function encodeWords(words: Iterable<string> | string, call: string): Uint8Array<ArrayBuffer> {
  if (typeof words === "string") return new TextEncoder().encode(words);
  if (typeof words?.[Symbol.iterator] !== "function")
    throw new MakemoreError(
      "INVALID_WORDS",
      `${call}: the words are ${show(words)}; they must be an iterable of strings, or one string with a word a line.`,
    );
  const lines: string[] = [];
  for (const word of words) {
    const trimmed = typeof word === "string" ? word.trim() : undefined;
    if (trimmed === undefined || /[\r\n]/.test(trimmed))
      throw new MakemoreError(
        "INVALID_WORDS",
        `${call}: word ${lines.length} is ${show(word)}; each word must be a string on one line.`,
      );
    lines.push(trimmed);
  }
  if (lines.length === 0)
    throw new MakemoreError("INVALID_WORDS", `${call}: there are no words; give at least one.`);
  // A line break ends every line, so that a last empty word is seen as one.
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

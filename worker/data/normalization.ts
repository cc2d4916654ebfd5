/**
 * The normalised form of words: all input is brought into it, and all sampled words have it. The page joins words with
 * line breaks and transfers them to the worker as UTF-8, because cloning a million strings is slow. `eachWord` reads
 * them one at a time, so that they are never all in memory as strings.
 */
import { LINE_SEPARATOR } from "../../src/lineSeparator";

const LINE_SEPARATORS = new RegExp(LINE_SEPARATOR, "g");

/** NUL means that UTF-16 was decoded as something else; U+FFFD stands for bytes that could not be decoded. */
const UNREADABLE = /[\0\ufffd]|\p{Surrogate}/u;

/** Trims a word and converts it to NFC, the form in which words are learned, scored, compared and sampled. */
export function normalizeWord(word: string): string {
  return word.trim().normalize("NFC");
}

/** Whether a normalised word is on one line and has only readable characters, so that it can be read back unchanged. */
export function isReadable(word: string): boolean {
  return isOneLine(word) && !UNREADABLE.test(word);
}

/** Whether a text has no line separator. */
export function isOneLine(text: string): boolean {
  return !LINE_SEPARATOR.test(text);
}

/** Whether a group may have this name: not empty, on one line, without spaces at its ends. */
export function isGroupName(name: string): boolean {
  return name !== "" && name === name.trim() && isOneLine(name);
}

/** Whether a text ends with a line separator: then no word follows it. */
export function endsLine(text: string): boolean {
  return LINE_SEPARATOR.test(text.slice(-1));
}

/** Yields the words of a text, one per line, normalised. Empty lines yield "". */
export function* eachWord(text: string): Generator<string> {
  let start = 0;
  for (const { index, 0: separator } of text.matchAll(LINE_SEPARATORS)) {
    yield normalizeWord(text.slice(start, index));
    start = index + separator.length;
  }
  yield normalizeWord(text.slice(start));
}

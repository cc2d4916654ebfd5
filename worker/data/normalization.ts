/**
 * The one form of a word: what comes in and what goes out has it. The page joins the words with line
 * breaks and hands over one UTF-8 buffer, so that a million words cross the thread as a transfer, not as
 * a million clones; `eachWord` walks them one at a time, without ever holding them all.
 */

/** The line separators of Python's `str.splitlines`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: three of them separate lines.
const LINE_SEPARATOR = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;
const LINE_SEPARATORS = new RegExp(LINE_SEPARATOR, "g");

/** NUL shows that UTF-16 was read as something else; U+FFFD stands for bytes that could not be read. */
const UNREADABLE = /[\0\ufffd]|\p{Surrogate}/u;

/** A word as it is learned, scored, compared and sampled: trimmed, in NFC. */
export function normalizeWord(word: string): string {
  return word.trim().normalize("NFC");
}

/** Whether a normalized word would come in again as itself: on one line, with characters that can be read. */
export function isReadable(word: string): boolean {
  return isOneLine(word) && !UNREADABLE.test(word);
}

/** Whether a text has no line separator. */
export function isOneLine(text: string): boolean {
  return !LINE_SEPARATOR.test(text);
}

/** Whether a text ends with a line separator: then no word follows it. */
export function endsLine(text: string): boolean {
  return LINE_SEPARATOR.test(text.slice(-1));
}

/** The words of a text, one per line, normalized; empty ones come as "". */
export function* eachWord(text: string): Generator<string> {
  let start = 0;
  for (const { index, 0: separator } of text.matchAll(LINE_SEPARATORS)) {
    yield normalizeWord(text.slice(start, index));
    start = index + separator.length;
  }
  yield normalizeWord(text.slice(start));
}

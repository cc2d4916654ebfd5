/**
 * Words as bytes. The page joins the words with line breaks and hands over one UTF-8 buffer, so
 * that a million words cross the thread as a transfer, not as a million clones; this file walks
 * them one at a time, without ever holding them all.
 */

/** The words of a text, one a line, trimmed and in NFC; empty ones come as "". */
export function* eachWord(text: string): Generator<string> {
  let start = 0;
  while (start <= text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    yield text.slice(start, end).trim().normalize("NFC");
    start = end + 1;
  }
}

/**
 * A list of words as the page needs to know it: how many, of which characters, and whether a
 * word is among them. Think of it as read-only; an edited text is a new list.
 */

/** Milliseconds that one slice of work may take; a frame at 60 Hz is 16.7. */
const SLICE = 8;

export interface WordList {
  /** Words, one a line, as handed to `train`. */
  readonly text: string;
  /** Distinct words, trimmed and in NFC, in the order of the text. */
  readonly words: ReadonlySet<string>;
  /** Distinct code points. */
  readonly characters: ReadonlySet<string>;
}

/** Nothing typed yet. */
export const NO_WORDS: WordList = { text: "", words: new Set(), characters: new Set() };

/**
 * Reads a text in slices, so that a long list never holds up the page.
 *
 * @returns undefined where `signal` was aborted: a newer text has taken over
 */
export async function readWordList(text: string, signal?: AbortSignal): Promise<WordList | undefined> {
  const words = new Set<string>();
  const characters = new Set<string>();
  let sliceEnd = performance.now() + SLICE;
  for (let start = 0; start < text.length; ) {
    const lineBreak = text.indexOf("\n", start);
    const end = lineBreak < 0 ? text.length : lineBreak;
    const word = text.slice(start, end).trim().normalize("NFC");
    if (word !== "" && !words.has(word)) {
      words.add(word);
      for (const character of word) characters.add(character);
    }
    start = end + 1;
    // Asking for the time costs as much as a word; every 256th is often enough.
    if (words.size % 256 === 0 && performance.now() > sliceEnd) {
      await new Promise((resolve) => setTimeout(resolve));
      if (signal?.aborted) return undefined;
      sliceEnd = performance.now() + SLICE;
    }
  }
  return signal?.aborted ? undefined : { text, words, characters };
}

/** The first lines of a text: what a text area can lay out in no time. */
export function head(text: string, lines: number): string {
  let end = 0;
  for (let i = 0; i < lines; i++) {
    end = text.indexOf("\n", end) + 1;
    if (end === 0) return text;
  }
  return text.slice(0, end);
}

/** `count` words spread evenly over the list, of which `model` knows every character. */
export function spread(list: WordList, count: number, vocabulary: readonly string[]): string[] {
  const known = new Set(vocabulary);
  const stride = Math.max(1, list.words.size / count);
  const out: string[] = [];
  let i = 0;
  let next = 0;
  for (const word of list.words) {
    if (i++ < next) continue;
    next += stride;
    if ([...word].every((character) => known.has(character))) out.push(word);
  }
  return out;
}

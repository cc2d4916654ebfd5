/**
 * A list of words: how many, which characters, and whether it has a given
 * word. Treat it as read-only; an edited text is a new list.
 */
import { slices } from "./slices";
import { WordSet } from "./wordSet";

/** Line ends, as in Python's `str.splitlines` and in the library. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they end lines
export const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

/** UTF-16 units read at a time: a few milliseconds of work. */
const BLOCK = 1 << 16;

/** UTF-16 units of the longest line that counts as a word. */
export const LONGEST = 1000;

export interface WordList {
  /** What to give the library: the text with a word per line, or its lines unchanged. */
  readonly given: string | Iterable<string>;
  /** Distinct words, trimmed and in NFC, in the order of the text. */
  readonly words: Pick<WordSet, "has" | "at" | "size" | typeof Symbol.iterator>;
  /** Distinct code points. */
  readonly characters: ReadonlySet<string>;
  /** Lines that are too long to be a word; none of them is among `words`. */
  readonly tooLong: number;
}

/** Nothing typed yet. */
export const NO_WORDS: WordList = { given: "", words: new WordSet(), characters: new Set(), tooLong: 0 };

/** A word in the form of lists and models: trimmed, in NFC. */
export function normalForm(word: string): string {
  return word.trim().normalize("NFC");
}

/**
 * The lines of a text, trimmed and without the empty ones, in batches that take a few milliseconds each. A line
 * that is too long for a word comes as its first LONGEST + 1 units or more.
 */
export function* lineBatches(text: string): Generator<string[]> {
  let rest = "";
  for (let start = 0; start < text.length; start += BLOCK) {
    const lines = text.slice(start, start + BLOCK).split(LINE_END);
    // Already too long: stop collecting.
    lines[0] = rest.length > LONGEST ? rest : rest + (lines[0] ?? "");
    rest = lines.pop() ?? "";
    yield lines.map((line) => line.trim()).filter((line) => line !== "");
  }
  if (rest.trim() !== "") yield [rest.trim()];
}

/**
 * Reads a text.
 *
 * @returns undefined if `signal` was aborted: a newer text has taken over
 */
export async function readWordList(text: string, signal?: AbortSignal): Promise<WordList | undefined> {
  const words = new WordSet();
  const characters = new Set<string>();
  let tooLong = 0;
  const pause = slices(signal);
  try {
    for (const lines of lineBatches(text)) {
      for (const line of lines) {
        if (line.length > LONGEST) tooLong++;
        else {
          const word = normalForm(line);
          if (words.add(word)) for (const character of word) characters.add(character);
        }
      }
      await pause();
    }
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
  return signal?.aborted ? undefined : { given: text, words, characters, tooLong };
}

/** Lines and UTF-16 units that a text area can lay out within two frames. */
const PART = { lines: 200, units: 8_000 };

/** End of the part of a text that begins at `start` and that a text area can lay out without a pause. */
export function partEnd(text: string, start: number): number {
  let end = start;
  for (let i = 0; i < PART.lines && end < text.length; i++) {
    const line = text.indexOf("\n", end);
    const next = line < 0 ? text.length : line + 1;
    if (next - start > PART.units) return end > start ? end : betweenCodePoints(text, start + PART.units);
    end = next;
  }
  return end;
}

/** Start of the part of a text that ends at `end`. */
export function partStart(text: string, end: number): number {
  let start = end;
  for (let i = 0; i < PART.lines && start > 0; i++) {
    const previous = start < 2 ? 0 : text.lastIndexOf("\n", start - 2) + 1;
    if (end - previous > PART.units) return start < end ? start : betweenCodePoints(text, end - PART.units);
    start = previous;
  }
  return start;
}

/** The same index, or the one before it if it would split a surrogate pair. */
function betweenCodePoints(text: string, place: number): number {
  return (text.codePointAt(place - 1) ?? 0) > 0xffff ? place - 1 : place;
}

/** `count` words spread evenly over the list, of which `model` knows every character. */
export function spread({ words }: WordList, count: number, vocabulary: readonly string[]): string[] {
  const known = new Set(vocabulary);
  const stride = Math.max(1, words.size / count);
  return Array.from(
    { length: Math.min(count, words.size) },
    (_, i) => words.at(Math.floor(i * stride)) ?? "",
  ).filter((word) => [...word].every((character) => known.has(character)));
}

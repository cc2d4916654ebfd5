/**
 * What a file is, by its content and not by its name: a model, text in some encoding, or neither. Files in
 * UTF-16 often have no mark, and older programs still write one byte per letter.
 */
import { slices } from "./slices";
import { LINE_END } from "./wordList";

/** What a file holds. Text comes with its likely encodings, the likeliest first; `sure` if there is no doubt. */
export type Content =
  | { readonly kind: "model" }
  | { readonly kind: "other" }
  | { readonly kind: "text"; readonly encodings: readonly Guess[]; readonly sure: boolean };

/** An encoding's name, and a few lines that it makes of the bytes in question. */
export interface Guess {
  readonly encoding: string;
  readonly lines: readonly string[];
}

/** Bytes decoded at a time. */
const BLOCK = 1 << 18;

/** Bytes that the encoding is guessed from. */
const SAMPLE_BYTES = 1 << 16;

/** Encodings with one or two bytes per letter, in the order in which they are tried. */
const OLD_ENCODINGS = [
  "windows-1252",
  "windows-1250",
  "windows-1251",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "shift_jis",
  "gb18030",
  "big5",
  "euc-kr",
];

/** What no text has. Tabs and the ends of lines are below U+0020 as well. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: no text has them
const NO_TEXT = /[\0-\x08\x0e-\x1b\x1f\x7f\ufffd]/;

/** Judges a file. */
export async function contentOf(file: Blob): Promise<Content> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isModel(bytes)) return { kind: "model" };
  const marked = markOf(bytes);
  if (marked) return sure(marked);
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    const sample = bytes.subarray(0, SAMPLE_BYTES);
    const encoding = zerosAt(sample, 1) > zerosAt(sample, 0) ? "utf-16le" : "utf-16be";
    const text = new TextDecoder(encoding).decode(sample.subarray(0, sample.length & ~1));
    return isProse(text) ? sure(encoding) : { kind: "other" };
  }
  const wrong = await firstNotUTF8(bytes);
  if (wrong === undefined)
    return NO_TEXT.test(new TextDecoder().decode(bytes.subarray(0, SAMPLE_BYTES)))
      ? { kind: "other" }
      : sure("utf-8");
  const sample = new TextDecoder().decode(bytes.subarray(wrong, wrong + SAMPLE_BYTES));
  const replaced = sample.match(/\ufffd/g)?.length ?? 0;
  const right = sample.match(/[^\0-\x7f\ufffd]/g)?.length ?? 0;
  return replaced < right / 4 ? sure("utf-8") : oldContent(linesWithHighBytes(bytes, wrong));
}

/** The whole text of a file. */
export async function decode(file: Blob, encoding: string): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const decoder = new TextDecoder(encoding);
  const pause = slices();
  let text = "";
  for (let start = 0; start < bytes.length; start += BLOCK) {
    text += decoder.decode(bytes.subarray(start, start + BLOCK), { stream: true });
    await pause();
  }
  return text + decoder.decode();
}

function sure(encoding: string): Content {
  return { kind: "text", encodings: [{ encoding, lines: [] }], sure: true };
}

/** Whether bytes begin as an ONNX model does: field 1, a small version, and then another field of the model. */
function isModel(bytes: Uint8Array): boolean {
  const [first, version = 0, next = 0] = bytes;
  const wireType = next & 7;
  return (
    first === 0x08 && version < 0x20 && next >> 3 >= 2 && next < 0x80 && (wireType === 0 || wireType === 2)
  );
}

function markOf([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xff && b === 0xfe) return "utf-16le";
  return a === 0xfe && b === 0xff ? "utf-16be" : undefined;
}

/** Zero bytes at even places (0) or odd ones (1). */
function zerosAt(bytes: Uint8Array, parity: 0 | 1): number {
  let zeros = 0;
  for (let i = parity; i < bytes.length; i += 2) if (bytes[i] === 0) zeros++;
  return zeros;
}

/** Whether a text is of what people write: letters and the like, hardly anything else. */
function isProse(text: string): boolean {
  const strange = text.match(/[^\p{L}\p{M}\p{N}\p{P}\p{Zs}\s\ufeff]/gu)?.length ?? 0;
  return !NO_TEXT.test(text) && strange <= text.length / 20;
}

/** The place of the first bytes that are not UTF-8. */
async function firstNotUTF8(bytes: Uint8Array): Promise<number | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const pause = slices();
  for (let start = 0; start <= bytes.length; start += BLOCK) {
    const end = start + BLOCK;
    try {
      decoder.decode(bytes.subarray(start, end), { stream: end < bytes.length });
    } catch {
      return start;
    }
    await pause();
  }
  return undefined;
}

/** Lines in which there is more than ASCII, from `from` on. */
function linesWithHighBytes(bytes: Uint8Array, from: number): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let begin = from;
  for (let i = from; i <= bytes.length && lines.length < 200; i++) {
    if (i < bytes.length && bytes[i] !== 0x0a && bytes[i] !== 0x0d) continue;
    const line = bytes.subarray(begin, Math.min(i, begin + 200));
    if (line.some((byte) => byte >= 0x80)) lines.push(line);
    begin = i + 1;
  }
  return lines;
}

/** The old encodings that make words of these lines. */
function oldContent(lines: readonly Uint8Array[]): Content {
  const guesses = OLD_ENCODINGS.flatMap((encoding) => {
    const texts = lines.flatMap((line) => decodeLine(line, encoding) ?? []);
    const words = texts.filter((text) => isWords(text));
    return words.length >= 0.9 * lines.length ? [{ encoding, lines: texts }] : [];
  });
  const [best] = guesses;
  if (!best) return { kind: "other" };
  // Western European words have mostly ASCII letters. With few of them, the guess is wrong.
  const letters = best.lines.join("").match(/\p{L}/gu) ?? [];
  const ascii = letters.filter((letter) => letter < "\x80").length;
  const different = guesses.filter(
    ({ lines }, i) => guesses.findIndex((other) => String(other.lines) === String(lines)) === i,
  );
  return {
    kind: "text",
    encodings: different,
    sure: different.length === 1 || (best.encoding === "windows-1252" && ascii > 0.6 * letters.length),
  };
}

function decodeLine(line: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(line);
  } catch {
    return undefined;
  }
}

/** Scripts that no word mixes. */
const SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Hebrew}/u,
  /\p{Script=Arabic}/u,
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  /\p{Script=Hangul}/u,
];

/** Whether a line consists of words: each with letters of one script, in lower case, capitalised, or in capitals. */
function isWords(line: string): boolean {
  if (NO_TEXT.test(line) || /[^\p{L}\p{M}\p{N}\p{P}\p{Zs}\s]/u.test(line) || /[\x80-\x9f]/.test(line))
    return false;
  return (line.match(/[\p{L}\p{M}]+/gu) ?? []).every(
    (word) => SCRIPTS.filter((script) => script.test(word)).length <= 1 && !/\p{Ll}\p{Lu}\p{Ll}/u.test(word),
  );
}

/** Lines of a text that hold no replaced or missing characters, and how many others there were. */
export async function readableLines(text: string): Promise<{ text: string; leftOut: number }> {
  const pause = slices();
  let readable = true;
  for (let start = 0; start < text.length && readable; start += BLOCK) {
    readable = !NO_TEXT.test(text.slice(start, start + BLOCK));
    await pause();
  }
  if (readable) return { text, leftOut: 0 };
  let kept = "";
  let leftOut = 0;
  for (let start = 0; start < text.length; ) {
    const cut = text.indexOf("\n", start + BLOCK);
    const end = cut < 0 ? text.length : cut + 1;
    const lines = text.slice(start, end).split(LINE_END);
    const good = lines.filter((line) => !NO_TEXT.test(line));
    leftOut += lines.length - good.length;
    kept += good.join("\n");
    start = end;
    await pause();
  }
  return { text: kept, leftOut };
}

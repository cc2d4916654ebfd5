import { noPage } from "./assetURLs";
import { MakemoreError } from "./errors";
import { formatValue, kindOf } from "./formatValue";
import { LINE_SEPARATOR } from "./lineSeparator";
import type { EncodedWords, WordsPiece } from "./protocol";
import { reading } from "./reading";
import { inSlices, runSlice, type Work } from "./slices";
import type { WordGroups, Words } from "./types";

/** Fixes for likely mistakes, by the kind of the value that was passed as words. */
const FIXES: Readonly<Record<string, string>> = {
  Promise: "await it",
  Response: "give await response.text()",
  Blob: "give await blob.text()",
  File: "give await file.text()",
  Map: "give its keys() or values()",
  AsyncGenerator: "collect it in an array",
  ReadableStream: "collect it in an array",
};

/** UTF-16 units encoded between two yields: well below a millisecond. */
const CHUNK = 1 << 16;
/** Words read between two yields; few, because the caller's iterator may be slow. */
const READ = 32;

/**
 * Reads, checks, encodes and sends words to the worker in slices. The first slice runs at once, so a short list is
 * read synchronously.
 */
export class WordSender {
  readonly encoded: EncodedWords;
  readonly #port: MessagePort;
  readonly #work: Work<void>;

  /**
   * @param words any iterable of strings, one string with a word per line, or several of these by name
   * @param call method name, for messages
   * @param mayBeNone whether the list may be empty
   * @throws MakemoreError `INVALID_WORDS` for anything else, `UNSUPPORTED` outside of a page; whatever the words' own iterator throws
   */
  constructor(words: Words | WordGroups, call: string, mayBeNone = false) {
    const { lists, groups } = reading("INVALID_WORDS", `${call}: the words`, () => {
      const groups = isGroups(words);
      const lists = groups ? listsOf(words, call) : [{ name: "", label: call, words }];
      for (const { label, words } of lists) if (typeof words !== "string") checkIterable(words, label);
      return { lists, groups };
    });
    if (typeof MessageChannel === "undefined") throw noPage();
    const { port1, port2 } = new MessageChannel();
    const send = (piece: WordsPiece) => {
      try {
        port1.postMessage(piece, piece ? [piece.buffer] : []);
      } catch (cause) {
        throw new MakemoreError("WORKER_FAILED", `${call}: the words cannot be sent: ${cause}`);
      }
    };
    const sent = lists.map(({ name, words }) => ({ name, isText: typeof words === "string" }));
    this.encoded = {
      port: port2,
      isText: typeof words === "string",
      ...(groups ? { groups: sent } : {}),
    };
    this.#port = port1;
    this.#work = encodeLists(lists, send, mayBeNone);
    try {
      runSlice(this.#work);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Sends the rest. If it is aborted, it ends the words' own iterator, which may hold a file open, for example.
   *
   * @throws MakemoreError `INVALID_WORDS`; what the words' own iterator throws; the signal's reason
   */
  async send(signal: AbortSignal): Promise<void> {
    try {
      await inSlices(this.#work, signal);
    } finally {
      this.#work.return();
    }
  }

  close(): void {
    this.#port.close();
  }
}

/** One list of words. */
interface List {
  /** Name of its group. */
  readonly name: string;
  /** Name of the list in messages. */
  readonly label: string;
  readonly words: Words;
}

/** Tells whether words are several lists by name. An empty record is not. */
function isGroups(words: Words | WordGroups): words is WordGroups {
  return kindOf(words) === "Object" && !(Symbol.iterator in Object(words)) && Object.keys(words).length > 0;
}

function listsOf(groups: WordGroups, call: string): List[] {
  return Object.entries(groups).map(([name, words]) => ({
    name,
    label: `${call}: group ${formatValue(name)}`,
    words,
  }));
}

/** Sends the pieces of each list, then undefined. */
function* encodeLists(
  lists: readonly List[],
  send: (piece: WordsPiece) => void,
  mayBeNone: boolean,
): Work<void> {
  for (const { label, words } of lists) {
    yield* typeof words === "string" ? encodePieces(words, send) : encodeWords(words, label, send, mayBeNone);
    send(undefined);
  }
}

function checkIterable(words: Iterable<string>, call: string): void {
  const kind = kindOf(words);
  const isBytes = ArrayBuffer.isView(words) || /ArrayBuffer$/.test(kind);
  const fix = isBytes ? "decode it with new TextDecoder().decode(bytes)" : FIXES[kind];
  if (typeof words?.[Symbol.iterator] !== "function" || fix)
    throw new MakemoreError(
      "INVALID_WORDS",
      `${call}: the words are ${formatValue(words)}${fix ? `: ${fix}` : ""}; they must be an iterable of strings, or one string with a word a line.`,
    );
}

function* encodePieces(text: string, send: (piece: WordsPiece) => void): Work<void> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + CHUNK);
    // Do not cut between the two halves of a surrogate pair.
    if (/[\ud800-\udbff]/.test(text.charAt(to - 1))) to++;
    send(new TextEncoder().encode(text.slice(from, to)));
    from = to;
    yield;
  }
}

function* encodeWords(
  words: Iterable<string>,
  call: string,
  send: (piece: WordsPiece) => void,
  mayBeNone: boolean,
): Work<void> {
  const invalid = (what: string) => new MakemoreError("INVALID_WORDS", `${call}: ${what}`);
  const notOneLine = (i: number, word: unknown) =>
    invalid(`word ${i} is ${formatValue(word)}; each word must be a string on one line.`);
  // Read all words before encoding, which takes longer: the first slice then reads most lists completely.
  const before = Array.isArray(words) ? words.length : 0;
  const list: string[] = [];
  for (const word of words) {
    // Throw at once, because an iterable of other values may be endless.
    if (typeof word !== "string") throw notOneLine(list.length, word);
    if (list.push(word) % READ === 0) yield;
  }
  if (Array.isArray(words) && words.length !== before)
    throw invalid(
      "the list of words changed while it was read; leave it as it is until the call is answered.",
    );
  if (list.length === 0 && !mayBeNone) throw invalid("there are no words; give at least one.");

  let lines: string[] = [];
  let units = 0;
  for (const [i, word] of list.entries()) {
    const trimmed = word.trim();
    if (yield* hasLineSeparator(trimmed)) throw notOneLine(i, word);
    lines.push(trimmed);
    units += trimmed.length + 1;
    if (units < CHUNK && i < list.length - 1) continue;
    // End every line with a line break, so that a last empty word is not lost.
    yield* encodePieces(`${lines.join("\n")}\n`, send);
    lines = [];
    units = 0;
  }
}

/** Tells whether a word contains a line separator. */
function* hasLineSeparator(word: string): Work<boolean> {
  for (let from = 0; ; from += CHUNK) {
    if (LINE_SEPARATOR.test(word.slice(from, from + CHUNK))) return true;
    if (from + CHUNK >= word.length) return false;
    yield;
  }
}

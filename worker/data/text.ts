/**
 * Reads the words that a caller gave. One string may be something else by mistake: a CSV file, JSON, a web page, a URL.
 * Such a string is refused with a hint at the fix. An array of strings is always read word by word.
 */
import { dsvFormat } from "d3-dsv";
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import { ITEMS, type Work } from "../../src/slices";
import { type Dataset, longestWord } from "./dataset";
import { eachWord, isOneLine, isReadable } from "./normalization";
import type { ReceivedWords } from "./receive";

/** Number of lines that are read to find out what a text is. */
const LINES_LOOKED_AT = 1000;
/** Share of the lines that must have the same form. */
const MOST = 0.9;
/** Length of a suspiciously long word, in characters: names, towns and titles are shorter. */
const LONG_WORD = 200;
/** With fewer different words than this, hardly anything but their characters can be learned. */
const FEW_WORDS = 100;

/** Tried in this order, because "a;1,5" has a decimal comma. */
const DELIMITERS = ["\t", ";", "|", ","];

/** How to read the words of a call. */
export interface Reading {
  /** The method that was called, for messages. */
  readonly call: string;
  /** Whether they are the list of a training, which must have more than one line. */
  readonly isTraining?: boolean;
  /** Column of a CSV text: its name in the first line, or its number from 0. */
  readonly column?: string | number | undefined;
}

/** Words, one per line. */
export interface WordList {
  readonly text: string;
  /** Warnings for the caller. */
  readonly notices: readonly string[];
}

/**
 * Checks words, and extracts a column of a CSV text.
 *
 * @throws MakemoreError `INVALID_WORDS` for a text that cannot be a list of words, `INVALID_OPTION` for a column that
 *   does not exist
 */
export function* wordsWork({ text, isText }: ReceivedWords, reading: Reading): Work<WordList> {
  const { call, column, isTraining = false } = reading;
  yield* refuseUnreadable(text, call);
  if (column !== undefined) {
    if (!isText)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: column is ${formatValue(column)}, and the words are no text; give the CSV text as one string.`,
      );
    return { text: yield* readColumn(text, column, call), notices: [] };
  }
  const lines = firstLines(text);
  const table = lines.length > 1 ? findTable(lines) : undefined;
  if (!isText) return { text, notices: table?.hasNumbers ? [tableNotice(table)] : [] };
  refuseDocument(text, call);
  if (table) throw isTable(table, reading);
  const [line] = lines;
  if (isTraining && line !== undefined && lines.length === 1)
    throw new MakemoreError(
      "INVALID_WORDS",
      `${call}: the words are a string of one line, ${formatValue(line)}${lineFix(line)}; give one word per line, or an array of strings.`,
    );
  return { text, notices: [] };
}

/** Warnings about the words of a training. */
export function wordNotices({ stats, train, vocabulary }: Dataset, shares: readonly number[]): string[] {
  const { count, repeated, split } = stats;
  const different = count - repeated;
  const notices: string[] = [];
  const longest = longestWord(train, vocabulary.firstGroup).length;
  if (split.validation === 0 && Number(shares[1]) > 0)
    notices.push(
      `There ${count === 1 ? "is only 1 word" : `are only ${count} words`}, and none is left for validation, so learning cannot be told from memorizing; give a few hundred.`,
    );
  if (split.validation > 0 && different < FEW_WORDS)
    notices.push(
      `There are only ${different} different words, so most new words will look random; give a few hundred.`,
    );
  if (longest > LONG_WORD)
    notices.push(
      `The longest word has ${longest} characters; if it is a whole text, give its words one per line, or as an array.`,
    );
  return notices;
}

function* refuseUnreadable(text: string, call: string): Work<void> {
  // Native searches first, because a text may have millions of characters.
  const nul = text.indexOf("\0");
  const at = nul >= 0 ? nul : text.indexOf("\ufffd");
  if (at < 0) return;
  let number = 0;
  for (const word of eachWord(text)) {
    if (!isReadable(word))
      throw new MakemoreError(
        "INVALID_WORDS",
        nul >= 0
          ? `${call}: word ${number} is ${formatValue(word)}, which has a NUL character; if the text was UTF-16, decode it with new TextDecoder("utf-16le").`
          : `${call}: word ${number} is ${formatValue(word)}, which has a character that could not be read (U+FFFD): half of a surrogate pair, or bytes of another encoding, which new TextDecoder("windows-1252") may decode.`,
      );
    if (++number % ITEMS === 0) yield;
  }
}

/** Refuses HTML, XML and JSON. */
function refuseDocument(text: string, call: string): void {
  const start = text.slice(0, 1000).trimStart();
  const refuse = (what: string) => new MakemoreError("INVALID_WORDS", `${call}: the words are ${what}`);
  if (isMarkup(start))
    throw refuse(
      `an HTML or XML document, ${formatValue(start)}; where a file is missing, many servers send such a page.`,
    );
  if (/^[[{]/.test(start) && isJSON(text))
    throw refuse(`JSON, ${formatValue(start)}; parse it with JSON.parse, and give an array of strings.`);
}

/** Whether a text begins like an HTML or XML document. */
export function isMarkup(text: string): boolean {
  return /^<(!doctype|html|\?xml|svg)\b/i.test(text);
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The first lines of a text that are not empty. */
function firstLines(text: string): string[] {
  const lines: string[] = [];
  for (const line of eachWord(text)) {
    if (line !== "") lines.push(line);
    if (lines.length === LINES_LOOKED_AT) break;
  }
  return lines;
}

/** A CSV-like text. */
interface Table {
  readonly delimiter: string;
  /** The first cell of the first line: a column's name, if the text has a header. */
  readonly name: string;
  /** The second line. */
  readonly example: string;
  /** Number of columns of most rows; undefined if rows differ. */
  readonly columns: number | undefined;
  /** Whether a column holds numbers: no list of words does. */
  readonly hasNumbers: boolean;
}

/** Finds a delimiter in most lines, or quotes around most lines; undefined if the text is not a table. */
function findTable(lines: readonly string[]): Table | undefined {
  const [first = "", example = first] = lines;
  const enough = Math.ceil(MOST * lines.length);
  const tables = DELIMITERS.flatMap((delimiter): Table[] => {
    const format = dsvFormat(delimiter);
    const rows = lines.map((line) => format.parseRows(line)[0] ?? []);
    if (rows.filter((row) => row.length > 1).length < enough) return [];
    const widths = new Map<number, number>();
    for (const { length } of rows) widths.set(length, (widths.get(length) ?? 0) + 1);
    const [columns] = [...widths].find(([, count]) => count >= enough) ?? [];
    const isNumber = (cell = "") => /^-?[\d.,\s]*\d%?$/.test(cell.trim());
    // One row may be the header.
    const hasNumbers = Array.from({ length: columns ?? 0 }, (_, column) =>
      rows.filter((row) => isNumber(row[column])),
    ).some(({ length }) => length >= enough - 1);
    return [{ delimiter, name: rows[0]?.[0] ?? "", example, columns, hasNumbers }];
  });
  const widest = tables.sort((a, b) => (b.columns ?? 0) - (a.columns ?? 0))[0];
  if (widest) return widest;
  const quoted = lines.filter((line) => /^"[^"]*"[,;]?$/.test(line)).length;
  if (quoted < enough) return undefined;
  const [[name = ""] = []] = dsvFormat(",").parseRows(first);
  return { delimiter: ",", name, example, columns: 1, hasNumbers: false };
}

function isTable(table: Table, { call, isTraining }: Reading): MakemoreError {
  const { delimiter, name, example, columns } = table;
  const fix = !isTraining
    ? "give the words alone, as an array of strings"
    : columns === undefined
      ? `if words are between them, give text.split(/[${delimiter === "\t" ? "\\t" : delimiter}\\n]/)`
      : `give the number of the column with the words, { column: 0 }, or its name in the first line, { column: ${formatValue(name)} }`;
  return new MakemoreError(
    "INVALID_WORDS",
    `${call}: the words are a string whose lines have ${columns === 1 ? "quotes" : formatValue(delimiter)} in them, such as ${formatValue(example)}; ${fix}. If a whole line is a word, give an array: text.split("\\n").`,
  );
}

function tableNotice({ example }: Table): string {
  return `The words look like lines of a CSV file, such as ${formatValue(example)}; to train on one column, give the text as one string with { column }.`;
}

/** The fix for a text of one line, by the likely mistake; "" if there is no guess. */
function lineFix(line: string): string {
  if (/^([a-z][a-z+.-]*:\/\/|\.{0,2}\/)\S+$/i.test(line) || /^\S+\.[a-z]\w{1,4}$/i.test(line))
    return ": if it is an address, give what is there, await (await fetch(address)).text()";
  const delimiter = [...DELIMITERS, " "].find((character) => line.includes(character));
  return delimiter === undefined
    ? ""
    : `: if words are between ${formatValue(delimiter)}, give text.split(${formatValue(delimiter)})`;
}

/** Extracts one column of a CSV text, one cell per line. */
function* readColumn(text: string, column: string | number, call: string): Work<string> {
  const delimiter = findTable(firstLines(text))?.delimiter ?? ",";
  const lines: string[] = [];
  let index: number | undefined;
  for (const rows of parsePieces(text, delimiter)) {
    const isFirst = index === undefined;
    index ??= findColumn(rows[0] ?? [], column, call);
    for (const row of isFirst && typeof column === "string" ? rows.slice(1) : rows) {
      const cell = row[index] ?? "";
      if (!isOneLine(cell.trim()))
        throw new MakemoreError(
          "INVALID_WORDS",
          `${call}: the cell ${formatValue(cell)} of column ${formatValue(column)} has more than one line; a word is on one line.`,
        );
      lines.push(`${cell}\n`);
    }
    yield;
  }
  return lines.join("");
}

/** Characters of a CSV text to parse at once. */
const PIECE = 1 << 16;

/** Parses a CSV text piece by piece. */
function* parsePieces(text: string, delimiter: string): Generator<string[][]> {
  const format = dsvFormat(delimiter);
  let from = 0;
  for (let size = PIECE; from + size < text.length; ) {
    let to = from + size;
    while (to < text.length && /[\r\n]/.test(text.charAt(to - 1))) to++;
    if (to === text.length) break;
    const rows = format.parseRows(text.slice(from, to));
    // The last row may continue in the next piece, so parse it again from the start of its line. If one of its cells has
    // a line break within quotes, its start is unknown: parse a larger piece instead.
    const last = rows.pop();
    const isOpen = last?.some((cell) => cell.includes("\n"));
    if (isOpen || rows.length === 0) size *= 2;
    else {
      yield rows;
      from = text.lastIndexOf("\n", to - 1) + 1;
      size = PIECE;
    }
  }
  yield format.parseRows(text.slice(from));
}

/** Index of a column in the rows of a CSV text. */
function findColumn(header: readonly string[], column: string | number, call: string): number {
  const names = header.map((name) => name.trim());
  const index = typeof column === "number" ? column : names.indexOf(column.trim());
  if (index < 0 || index >= header.length)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: column is ${formatValue(column)}; ${typeof column === "number" ? `the columns are 0 to ${header.length - 1}` : `the first line has ${names.map(formatValue).join(", ")}`}.`,
    );
  return index;
}

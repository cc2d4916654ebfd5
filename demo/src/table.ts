/**
 * Texts that are not one word per line: a table with columns, a list with commas, JSON. The visitor has to say what
 * is meant, so this file turns them into a question with its answers.
 */
import { dsvFormat } from "d3-dsv";
import { slices } from "./slices";
import { LINE_END } from "./wordList";

export interface Question {
  /** What the text looks like. */
  readonly looks: string;
  readonly answers: readonly Answer[];
}

export interface Answer {
  /** What the words then are. */
  readonly label: string;
  readonly examples: readonly string[];
  /** Extracts the words from the text, one per line. */
  words(text: string): Promise<string>;
}

/** UTF-16 units that a question is made from. */
const SAMPLE = 1 << 16;
/** UTF-16 units of a table that are read at a time. */
const BLOCK = 1 << 16;
/** UTF-16 units of JSON that are parsed at once, without a visible pause. */
const JSON_MOST = 1 << 20;
/** Rows of the sample. */
const ROWS = 100;
const EXAMPLES = 3;

const DELIMITERS = { "\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars" };

/** Names of columns that a first row gives away as a header. */
const HEADER =
  /^(id|nr|no|rank|names?|first.?name|words?|title|sex|gender|year|count|n|number|freq(uency)?)$/i;

/** The question that a text raises; undefined for one word per line. */
export function questionOf(text: string): Question | undefined {
  const sample = text.slice(0, SAMPLE);
  return jsonQuestion(text) ?? delimitedQuestion(sample, text.length > SAMPLE) ?? spacedQuestion(sample);
}

function jsonQuestion(text: string): Question | undefined {
  if (!/^\s*\[/.test(text.slice(0, 100)) || text.length > JSON_MOST) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) return undefined;
    return {
      looks: "This looks like a JSON list.",
      answers: [
        { label: "Its strings", examples: list.slice(0, EXAMPLES), words: async () => oneALine(list) },
      ],
    };
  } catch {
    return undefined;
  }
}

function delimitedQuestion(sample: string, cut: boolean): Question | undefined {
  const lines = sample.split(LINE_END);
  // The last line of a sample is seldom whole.
  if (cut && lines.length > 1) lines.pop();
  const filled = lines.filter((line) => line.trim() !== "").slice(0, ROWS);
  for (const [delimiter, name] of Object.entries(DELIMITERS)) {
    const rows = dsvFormat(delimiter).parseRows(filled.join("\n"));
    const several = rows.filter((row) => row.length > 1);
    if (several.length === 0 || several.length < 0.8 * rows.length) continue;
    const width = rows[0]?.length ?? 0;
    const isTable = rows.length > 1 && rows.filter((row) => row.length === width).length >= 0.8 * rows.length;
    return isTable ? tableQuestion(delimiter, name, rows) : listQuestion(delimiter, name, rows);
  }
  return undefined;
}

function tableQuestion(delimiter: string, name: string, rows: readonly string[][]): Question {
  const header = hasHeader(rows) ? rows[0] : undefined;
  const body = header ? rows.slice(1) : rows;
  const columns = rows[0]?.map((_, i) => i) ?? [];
  return {
    looks: `This looks like a table with ${name}.`,
    answers: columns.map((column) => ({
      label: header?.[column] ? `Column “${header[column]}”` : `Column ${column + 1}`,
      examples: examplesOf(body.map((row) => row[column] ?? "")),
      words: (text) => wordsOf(text, delimiter, { pick: (row) => [row[column] ?? ""], skip: header ? 1 : 0 }),
    })),
  };
}

function listQuestion(delimiter: string, name: string, rows: readonly string[][]): Question {
  return {
    looks: `This looks like a list with ${name}.`,
    answers: [
      {
        label: `What stands between the ${name}`,
        examples: examplesOf(rows.flat()),
        words: (text) => wordsOf(text, delimiter, { endsBlock: delimiter }),
      },
    ],
  };
}

/** One line of many words. */
function spacedQuestion(sample: string): Question | undefined {
  const words = sample.trim().split(/\s+/u);
  if (words.length < 5 || LINE_END.test(sample.trim())) return undefined;
  return {
    looks: "This is one line of many words.",
    answers: [
      {
        label: "What stands between the spaces",
        examples: examplesOf(words),
        words: (text) => wordsOf(text, " ", { endsBlock: " " }),
      },
    ],
  };
}

/** Whether the first row names the columns: by what it says, or because only it has no number in a column of numbers. */
function hasHeader([first = [], ...others]: readonly string[][]): boolean {
  const isNumber = (cell = "") => /\d/.test(cell) && /^[\d\s.,%+-]+$/.test(cell);
  if (first.some(isNumber)) return false;
  return first.some(
    (cell, column) =>
      HEADER.test(cell.trim()) || (others.length > 0 && others.every((row) => isNumber(row[column]?.trim()))),
  );
}

function examplesOf(cells: readonly string[]): string[] {
  return [...new Set(cells.map((cell) => cell.trim()).filter((cell) => cell !== ""))].slice(0, EXAMPLES);
}

/**
 * The cells that `pick` takes from each row of a long table, after the first `skip` rows, one per line. The table
 * is read in blocks. Each ends at the end of a row or, if given, at another separator.
 */
async function wordsOf(
  text: string,
  delimiter: string,
  { pick = (row: string[]) => row, skip = 0, endsBlock = "\n" },
): Promise<string> {
  const format = dsvFormat(delimiter);
  const pause = slices();
  let words = "";
  let left = skip;
  for (let start = 0; start < text.length; ) {
    const end = blockEnd(text, start, endsBlock);
    const rows = format.parseRows(text.slice(start, end));
    const some = oneALine(rows.slice(left).flatMap(pick));
    left = Math.max(0, left - rows.length);
    if (some) words += `${some}\n`;
    start = end;
    await pause();
  }
  return words;
}

/** The end of the last whole row, or cell, of the block that begins at `start`. */
function blockEnd(text: string, start: number, endsBlock: string): number {
  let quoted = false;
  let end = start;
  for (let at = start; at < text.length; at++) {
    // Too long for a row: the quote was meant as a character.
    if (at - start >= BLOCK) return end > start ? end : at;
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "\n" || character === "\r" || character === endsBlock)) end = at + 1;
  }
  return text.length;
}

/** Joins cells as lines; a line break inside a cell becomes a space. */
function oneALine(cells: readonly string[]): string {
  return cells
    .map((cell) => cell.replace(/\s+/gu, " ").trim())
    .filter((cell) => cell !== "")
    .join("\n");
}

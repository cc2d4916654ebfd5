/** Reading input as words: what is accepted, what is refused, and what only gives a notice. */
import { readFileSync } from "node:fs";
import { csvParseRows } from "d3-dsv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { runToEnd } from "../../src/slices";
import { buildDataset } from "../../worker/data/dataset";
import type { ReceivedWords } from "../../worker/data/receive";
import { type Reading, type WordList, wordNotices, wordsWork } from "../../worker/data/text";
import { makemoreError } from "../makemoreError";

const training = { call: "train", isTraining: true };

function readWords(received: ReceivedWords, reading: Reading): WordList {
  return runToEnd(wordsWork(received, reading));
}

/** Encodes and decodes a text in UTF-8, as the page and the worker do. */
function received(text: string, isText: boolean) {
  return { text: new TextDecoder().decode(new TextEncoder().encode(text)), isText };
}

/** Reads words that are given as one string. */
function readText(text: string, reading: Reading = training): string[] {
  return readWords(received(text, true), reading).text.split("\n").filter(Boolean);
}

/** Reads words that are given as an array of strings. */
function readList(words: readonly string[]) {
  return readWords(received(`${words.join("\n")}\n`, false), training);
}

const table = ["Emma,F,20355", "Olivia,F,19553", '"Ava, Mia",F,17327'];
const withHeader = ["name,sex,count", ...table];

test.each([
  ["a CSV file", table.join("\n"), /"," in them, such as "Olivia,F,19553".*column: 0/],
  ["one with a header", withHeader.join("\r\n"), /column: "name"/],
  ["one with semicolons", "Emma;F;20,355\nOlivia;F;19,553", /";" in them/],
  ["one with tabs", "Emma\tF\nOlivia\tF\n", /"\\t" in them/],
  ["one with a last line that is cut", [...Array(20).fill("Emma,F"), "Oliv"].join("\n"), /"," in them/],
  ["quoted words", '"emma"\n"olivia"', /quotes in them/],
  ["words and line breaks as in a program", '"emma",\n"olivia",\n"ava"', /quotes in them.*column: "emma"/],
  [
    "lists on several lines",
    "emma, olivia, ava,\nmia, sophia,\namelia, evelyn",
    /text.split\(\/\[,\\n\]\/\)/,
  ],
  ["one list", "emma,olivia,ava", /of one line, "emma,olivia,ava": .*text.split\(","\)/],
  ["words between spaces", "emma olivia ava", /text.split\(" "\)/],
  ["one word", "emma", /of one line, "emma"; give one word per line/],
  ["a long line", "a".repeat(1e6), /of one line/],
  ["the name of a file", "names.txt", /"names.txt": if it is an address.*await fetch/],
  ["a URL", "https://example.com/names", /if it is an address/],
  ["a path", "/data/names", /if it is an address/],
  ["a Promise as a string", "[object Promise]", /"\[object Promise\]"/],
  ["JSON", JSON.stringify(["emma", "olivia"], null, 2), /are JSON.*JSON.parse/],
  ["a page of HTML", "<!doctype html>\n<title>404</title>\n<p>Not found</p>", /HTML.*missing/],
  ["UTF-16 read as UTF-8", "e\0m\0m\0a\0\n\0a\0v\0a\0", /word 0 is .*NUL.*utf-16le/],
  ["Windows-1252 read as UTF-8", "anna\nandr\ufffd", /word 1 is "andr\ufffd".*windows-1252/],
])("%s as a string is refused with the fix", (_, text, message) => {
  expect(() => readText(text)).toThrow(makemoreError("INVALID_WORDS", message));
});

test.each(["score", "evaluate", "sample: novel"])("%s accepts one word as a string, but no table", (call) => {
  expect(readText("emma", { call })).toEqual(["emma"]);
  expect(() => readText(table.join("\n"), { call })).toThrow(/give the words alone, as an array/);
});

test("half of a surrogate pair is refused, and the error names the word, in a string and in an array", () => {
  const refused = makemoreError("INVALID_WORDS", /word 0 is "ab\ufffd".*half of a surrogate pair/);
  expect(() => readText("ab\ud83d\nba")).toThrow(refused);
  expect(() => readList(["ab\ud83d", "ba"])).toThrow(refused);
  expect(readList(["ab😀", "ba"]).notices).toEqual([]);
});

test("a column can be given by its name or its number", () => {
  const names = ["Emma", "Olivia", "Ava, Mia"];
  expect(readText(withHeader.join("\n"), { ...training, column: "name" })).toEqual(names);
  expect(readText(table.join("\r\n"), { ...training, column: 0 })).toEqual(names);
  expect(readText(withHeader.join("\n"), { ...training, column: "count" })).toEqual([
    "20355",
    "19553",
    "17327",
  ]);
  expect(readText("name\nemma\nolivia", { ...training, column: "name" })).toEqual(["emma", "olivia"]);
  expect(readText('"em""ma"\n"olivia"', { ...training, column: 0 })).toEqual(['em"ma', "olivia"]);
  expect(readText("a;1,5\nb;2,5", { ...training, column: 1 })).toEqual(["1,5", "2,5"]);
});

test("a long CSV text gives the same words in pieces as in one go, wherever a piece ends", () => {
  const lines = [
    "emma,1,F",
    '"ava, mia",2,F\r',
    '"o""livia",,"two\nlines, and ""quotes"""',
    "",
    'nora,5" pipe,"\n\n"',
    `zoe,4,"${"a line\n".repeat(20_000)}"`,
    '"isla"',
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(lines.length - 1), { minLength: 20, maxLength: 50 }), (order) => {
      // Mostly short lines, so that pieces end at many places.
      const text = order.map((i) => `${lines[i]}\n${"mia,3,F\n".repeat(i * 997)}`).join("");
      const { text: words } = readWords(received(text, true), { ...training, column: 0 });
      expect(words.split("\n").slice(0, -1)).toEqual(csvParseRows(text).map(([cell]) => cell));
    }),
    { numRuns: 20 },
  );
});

test("a missing column is refused, and the error lists the existing ones", () => {
  const read = (column: string | number) => () => readText(withHeader.join("\n"), { ...training, column });
  expect(read("nme")).toThrow(
    makemoreError("INVALID_OPTION", /column is "nme"; the first line has "name", "sex", "count"/),
  );
  expect(read(3)).toThrow(makemoreError("INVALID_OPTION", /column is 3; the columns are 0 to 2/));
  expect(() => readText('"em\nma",1\nava,2', { ...training, column: 0 })).toThrow(
    makemoreError("INVALID_WORDS", /more than one line/),
  );
  expect(() => readWords(received("emma", false), { ...training, column: 0 })).toThrow(
    makemoreError("INVALID_OPTION", /give the CSV text/),
  );
});

test("no false alarm: words with commas, dots, quotes and tabs in an array, and a few of them in a text", () => {
  const towns = ["Washington, D.C.", "Portland, Oregon", "St. Louis, Missouri", "Winston-Salem, N.C."];
  const lists = [
    towns,
    ["example.com", "example.org"],
    ['"Weird Al"', '"Prince"'],
    ["a\tb", "c\td"],
    ["names.txt"],
  ];
  for (const words of lists) {
    const { text, notices } = readList(words);
    expect(text.split("\n").slice(0, -1)).toEqual(words);
    expect(notices).toEqual([]);
  }
  const text = [...Array(30).fill("Springfield"), ...towns].join("\n");
  expect(readText(text)).toHaveLength(34);
  expect(readText("example.com\nexample.org")).toHaveLength(2);
  expect(readText("[emma\n{olivia")).toHaveLength(2);
  expect(readText("Boeing 747\nAirbus 380")).toHaveLength(2);
  const names = readFileSync("demo/words/names.txt", "utf8");
  expect(readWords(received(names, true), training)).toEqual({ text: names, notices: [] });
});

test("lines of a CSV file in an array give a notice, because numbers are not words", () => {
  expect(readList(withHeader).notices).toEqual([expect.stringMatching(/lines of a CSV file.*column/)]);
});

test("too few words for a validation split or for learning, and a very long word, give a notice", () => {
  const split = [0.8, 0.1, 0.1] as const;
  const notices = (words: string[], shares: readonly [number, number, number] = split) =>
    wordNotices(buildDataset(words.join("\n"), { seed: 1, split: shares, shuffle: true }), shares).join();
  const five = ["emma", "olivia", "ava", "mia", "zoe"];
  expect(notices(five)).toMatch(/only 5 words.*none is left for validation/);
  expect(notices(five, [1, 0, 0])).toBe("");
  expect(notices([...five, ...five])).toMatch(/only 5 different words, so most new words will look random/);
  const different = (count: number) => Array.from({ length: count }, (_, i) => `word${i}`);
  expect(notices([...different(99), "word1"])).toMatch(/only 99 different words/);
  expect(notices(different(100))).toBe("");
  expect(notices(["ab"])).toMatch(/only 1 word,/);
  expect(notices([...five, ...five, ...Array(10).fill("ab".repeat(101))])).toMatch(/longest word has 202/);
});

test("any words in an array are read unchanged", () => {
  // Leave out characters that the page trims or refuses, and unreadable ones.
  const word = fc.string({ unit: "binary", minLength: 1 }).filter((w) => !/[\n\r\ufeff\ufffd]|\0/.test(w));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      expect(readList(words).text).toBe(`${words.join("\n")}\n`);
    }),
  );
});

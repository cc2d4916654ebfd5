import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LONGEST, partEnd, partStart, readWordList, spread } from "../../../demo/src/wordList";

const names = readFileSync("demo/words/names.txt", "utf8");

describe("readWordList", () => {
  it("trims each word, normalises it to NFC, and counts it once", async () => {
    const list = await readWordList(" emma \r\n\nemma\nrene\u0301e\n");
    expect([...(list?.words ?? [])]).toEqual(["emma", "renée"]);
    expect(list?.characters).toEqual(new Set("emarné"));
  });

  it("reads as many bundled names as their provenance file states", async () => {
    const list = await readWordList(names);
    expect(list?.words.size).toBe(30_294);
    expect([...(list?.characters ?? [])].sort().join("")).toBe("abcdefghijklmnopqrstuvwxyz");
    expect(list?.words.has("olivia")).toBe(true);
  });

  it("stops when a newer text has come", async () => {
    expect(await readWordList(names, AbortSignal.abort())).toBeUndefined();
  });

  it.each([
    ["distinct words", () => Array.from({ length: 200_000 }, (_, i) => i.toString(36)).join("\n")],
    ["few words, again and again", () => names.slice(0, 700).repeat(10_000)],
    ["one line", () => "many words ".repeat(1_000_000)],
  ])("lets the page breathe in between: %s", async (_, text) => {
    let others = 0;
    const timer = setInterval(() => others++);
    await readWordList(text());
    clearInterval(timer);
    expect(others).toBeGreaterThan(0);
  });

  it("ends lines where Python does, wherever a block of the text ends", async () => {
    const ends = ["\r\n", "\r", "\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"];
    for (const end of ends)
      expect([...((await readWordList(`anna${end}bert${end}`))?.words ?? [])]).toEqual(["anna", "bert"]);
    // The text is read in blocks of 65,536 code units. Lines of 5 units, and their ends, lie across the blocks' ends.
    const words = Array.from({ length: 40_000 }, (_, i) => (i + 100).toString(36).padStart(3, "x"));
    expect([...((await readWordList(words.join("\r\n")))?.words ?? [])]).toEqual(words);
  });

  it("counts lines that are too long for a word, and does not use them as words", async () => {
    const list = await readWordList(`ab\n${"c".repeat(LONGEST + 1)}\n${"d".repeat(300_000)}`);
    expect([[...(list?.words ?? [])], list?.tooLong]).toEqual([["ab"], 2]);
  });
});

describe("partEnd and partStart", () => {
  it("cut a text into parts of whole lines, the same parts from both ends", () => {
    const starts: number[] = [];
    for (let start = 0; start < names.length; start = partEnd(names, start)) starts.push(start);
    expect(starts.length).toBe(Math.ceil(30_294 / 200));
    for (const start of starts.slice(1)) expect(names[start - 1]).toBe("\n");
    let end = starts.at(-1) ?? 0;
    const back: number[] = [];
    for (; end > 0; end = partStart(names, end)) back.push(end);
    expect([0, ...back.reverse()]).toEqual(starts);
  });

  it("cut a long line, but never within a character", () => {
    const text = `a${"😀".repeat(10_000)}`;
    const end = partEnd(text, 0);
    expect(end).toBeLessThanOrEqual(8000);
    expect(text.slice(0, end)).toBe(`a${"😀".repeat((end - 1) / 2)}`);
    const start = partStart(text, text.length);
    expect(text.length - start).toBeLessThanOrEqual(8002);
    expect(text.slice(start)).toBe("😀".repeat((text.length - start) / 2));
  });
});

describe("spread", () => {
  it("takes words from all over the list, with known characters only", async () => {
    const list = await readWordList(names);
    if (!list) throw new Error("unread");
    const some = spread(list, 1000, [..."abcdefghijklmnopqrstuvwxyz"]);
    expect(some.length).toBe(1000);
    const places = [...list.words];
    expect(places.indexOf(some.at(-1) ?? "")).toBeGreaterThan(30_000);
    expect(spread(list, 1000, [..."aemlyn"]).every((word) => /^[aemlyn]+$/.test(word))).toBe(true);
  });

  it("takes all of a short list", async () => {
    const list = await readWordList("ab\nba\nabba");
    if (!list) throw new Error("unread");
    expect(spread(list, 1000, ["a", "b"])).toEqual(["ab", "ba", "abba"]);
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { head, readWordList, spread } from "../../../demo/src/words";

const names = readFileSync("demo/words/names.txt", "utf8");

describe("readWordList", () => {
  it("trims, composes and counts each word once", async () => {
    const list = await readWordList(" emma \r\n\nemma\nrene\u0301e\n");
    expect([...(list?.words ?? [])]).toEqual(["emma", "renée"]);
    expect(list?.characters).toEqual(new Set("emarné"));
  });

  it("reads the bundled names as their provenance has them", async () => {
    const list = await readWordList(names);
    expect(list?.words.size).toBe(30_294);
    expect([...(list?.characters ?? [])].sort().join("")).toBe("abcdefghijklmnopqrstuvwxyz");
    expect(list?.words.has("olivia")).toBe(true);
  });

  it("gives up where a newer text has come", async () => {
    expect(await readWordList(names, AbortSignal.abort())).toBeUndefined();
  });

  it("lets the page breathe in between", async () => {
    let others = 0;
    const timer = setInterval(() => others++);
    const many = Array.from({ length: 200_000 }, (_, i) => i.toString(36)).join("\n");
    await readWordList(many);
    clearInterval(timer);
    expect(others).toBeGreaterThan(0);
  });
});

describe("head", () => {
  it("takes whole lines", () => {
    expect(head("a\nb\nc\n", 2)).toBe("a\nb\n");
    expect(head("a\nb", 5)).toBe("a\nb");
    expect(head("", 5)).toBe("");
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

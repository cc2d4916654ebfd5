import { beforeEach, describe, expect, it } from "vitest";
import { Diary } from "../../../demo/src/diary";

let list: HTMLElement;
let diary: Diary;

beforeEach(() => {
  list = document.createElement("ol");
  diary = new Diary(list);
});

const rows = () => [...list.children].map((row) => [...row.children].map((cell) => cell.textContent));
const steps = () => rows().map(([step]) => Number(step?.replace(/\D/g, "")));

describe("Diary", () => {
  it("has eight rows from the start, the last one at the last multiple", () => {
    diary.begin(1500, 0);
    expect(steps()).toEqual([187, 374, 561, 748, 935, 1122, 1309, 1496]);
    expect(rows()[0]).toEqual(["step 187", "…"]);
  });

  it("has rows only for steps at which words come", () => {
    diary.begin(10_000, 0, 400);
    expect(steps()).toEqual([1200, 2400, 3600, 4800, 6000, 7200, 8400, 9600]);
  });

  it("has a row per step if there are fewer than eight steps", () => {
    diary.begin(3, 0);
    expect(steps()).toEqual([1, 2, 3]);
  });

  it("fills each row when its step is reached", () => {
    diary.begin(800, 0);
    diary.write(100, ["emma", "ava"]);
    diary.write(200, ["noah"]);
    expect(rows().map(([, words]) => words)).toEqual(["emma  ava", "noah", ...Array(6).fill("…")]);
  });

  it("keeps its filled rows after a resume, and drops rows that can no longer be filled", () => {
    diary.begin(30_000, 0);
    diary.write(3750, ["emma"]);
    diary.goOn(7000, 6000);
    expect(steps()).toEqual([3750, 6125, 7000]);
    expect(rows().map(([, words]) => words)).toEqual(["emma", "…", "…"]);
  });

  it("begins at the step of an opened file", () => {
    diary.begin(30_000, 6000);
    expect(steps()[0]).toBe(7500);
    diary.begin(5000, 5000);
    expect(steps()).toEqual([]);
  });
});

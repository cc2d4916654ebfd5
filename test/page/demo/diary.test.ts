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
  it("has eight rows before anything is written, the last at the last multiple", () => {
    diary.begin(1500, 0);
    expect(steps()).toEqual([187, 374, 561, 748, 935, 1122, 1309, 1496]);
    expect(rows()[0]).toEqual(["step 187", "…"]);
  });

  it("has rows only where words come", () => {
    diary.begin(10_000, 0, 400);
    expect(steps()).toEqual([1200, 2400, 3600, 4800, 6000, 7200, 8400, 9600]);
  });

  it("has a row for each of fewer steps than that", () => {
    diary.begin(3, 0);
    expect(steps()).toEqual([1, 2, 3]);
  });

  it("fills the rows whose step has come", () => {
    diary.begin(800, 0);
    diary.write(100, ["emma", "ava"]);
    diary.write(200, ["noah"]);
    expect(rows().map(([, words]) => words)).toEqual(["emma  ava", "noah", ...Array(6).fill("…")]);
  });

  it("keeps what is written when it goes on, and has only rows that will come", () => {
    diary.begin(30_000, 0);
    diary.write(3750, ["emma"]);
    diary.goOn(7000, 6000);
    expect(steps()).toEqual([3750, 6125, 7000]);
    expect(rows().map(([, words]) => words)).toEqual(["emma", "…", "…"]);
  });

  it("begins where an opened file stands", () => {
    diary.begin(30_000, 6000);
    expect(steps()[0]).toBe(7500);
    diary.begin(5000, 5000);
    expect(steps()).toEqual([]);
  });
});

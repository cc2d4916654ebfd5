import { afterEach, expect, it } from "vitest";
import { dayOf, readNote, removeNote, writeNote } from "../../../demo/src/kept";

afterEach(() => localStorage.clear());

it("names the day in everyday words", () => {
  const now = new Date(2026, 10, 27, 0, 30).getTime();
  expect(dayOf(new Date(2026, 10, 27, 0, 5).getTime(), now)).toBe("today");
  expect(dayOf(new Date(2026, 10, 26, 23, 50).getTime(), now)).toBe("yesterday");
  expect(dayOf(new Date(2026, 10, 17, 12).getTime(), now)).toBe("10 days ago");
  // The clock was set back since.
  expect(dayOf(now + 1e9, now)).toBe("today");
});

it("reads its own notes back, without a long list, and ignores foreign values", () => {
  expect(readNote()).toBeUndefined();
  writeNote({ label: "Plants", list: "plants", time: 1 });
  expect(readNote()).toEqual({ label: "Plants", list: "plants", time: 1 });
  writeNote({ label: "your own words", words: "a\nb", time: 2 });
  expect(readNote()).toEqual({ label: "your own words", words: "a\nb", time: 2 });
  writeNote({ label: "your own words", words: "a".repeat(1_000_000), time: 3 });
  expect(readNote()).toEqual({ label: "your own words", time: 3 });
  for (const other of ["", "{", "null", "[]", '{"label":1,"time":1}', '{"label":"a","time":1,"list":2}']) {
    localStorage.setItem("makemore-web demo", other);
    expect(readNote()).toBeUndefined();
  }
  removeNote();
  expect(localStorage.length).toBe(0);
});

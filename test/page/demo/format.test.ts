import { expect, test } from "vitest";
import { duration, took } from "../../../demo/src/format";

test("a time that is left is rounded up, and a short time that something took has tenths", () => {
  expect([0.2, 4.1, 59.5, 200, 3900].map(duration)).toEqual([
    "1 s",
    "5 s",
    "1 min 0 s",
    "3 min 20 s",
    "1 h 5 min",
  ]);
  expect([0.04, 4.1, 12.3].map(took)).toEqual(["0.0 s", "4.1 s", "13 s"]);
});

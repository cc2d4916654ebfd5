import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { bigramLoss } from "../../../demo/src/bigram";

it("is the entropy of what follows each character, by hand", async () => {
  // After the boundary: a, b. After a: the end, the end. After b: a. Only the first is open: ln 2, once a word.
  expect(await bigramLoss(["a", "ba"])).toBeCloseTo((2 * Math.log(2)) / 5, 12);
  // What cannot be otherwise surprises nobody.
  expect(await bigramLoss(["abc"])).toBe(0);
  expect(await bigramLoss([])).toBeNaN();
});

it("is the lecture's 2.45 on the lecture's names, about, and less than a random guess", async () => {
  const names = readFileSync("demo/words/names.txt", "utf8").trim().split("\n");
  const loss = await bigramLoss(names);
  // The lecture's list has other names: 2.4541 there.
  expect(loss).toBeGreaterThan(2.35);
  expect(loss).toBeLessThan(2.55);
  expect(loss).toBeLessThan(Math.log(27));
});

it("counts code points", async () => {
  expect(await bigramLoss(["😀a", "😃a"])).toBeCloseTo((2 * Math.log(2)) / 6, 12);
});

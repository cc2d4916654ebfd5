import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { bigramLoss } from "../../../demo/src/bigram";

it("equals the entropy of each character's successors, computed by hand", async () => {
  // After the boundary come a and b, after a twice the end, after b an a. Only the first is uncertain: ln 2 per word.
  expect(await bigramLoss(["a", "ba"])).toBeCloseTo((2 * Math.log(2)) / 5, 12);
  // If only one character can follow, the loss is 0.
  expect(await bigramLoss(["abc"])).toBe(0);
  expect(await bigramLoss([])).toBeNaN();
});

it("is about the lecture's 2.45 on the bundled names, and less than a random guess", async () => {
  const names = readFileSync("demo/words/names.txt", "utf8").trim().split("\n");
  const loss = await bigramLoss(names);
  // The lecture's list has other names. Its bigram loss is 2.4541.
  expect(loss).toBeGreaterThan(2.35);
  expect(loss).toBeLessThan(2.55);
  expect(loss).toBeLessThan(Math.log(27));
});

it("counts code points", async () => {
  expect(await bigramLoss(["😀a", "😃a"])).toBeCloseTo((2 * Math.log(2)) / 6, 12);
});

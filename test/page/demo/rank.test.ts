import { describe, expect, it } from "vitest";
import { histogram, rankingOf, shareBelow } from "../../../demo/src/rank";

describe("shareBelow", () => {
  const ranking = rankingOf([-2, -10, -1, -2]);

  it("counts the smaller values, and half of the equal ones", () => {
    expect(shareBelow(ranking, 0)).toBe(1);
    expect(shareBelow(ranking, -11)).toBe(0);
    expect(shareBelow(ranking, -2)).toBe(0.5);
  });

  it("is 0 if there is nothing to compare with", () => {
    expect(shareBelow(rankingOf([]), -1)).toBe(0);
  });
});

describe("histogram", () => {
  it("puts every value in a bin; values beyond the ends go to the outer bins", () => {
    expect(histogram(rankingOf([-5, 0, 0.4, 0.6, 1, 9]), 0, 1, 2)).toEqual([3, 3]);
  });
});

import { describe, expect, it } from "vitest";
import { histogram, rankingOf, shareBelow } from "../../../demo/src/rank";

describe("shareBelow", () => {
  const ranking = rankingOf([-2, -10, -1, -2]);

  it("counts what is below, and half of what is equal", () => {
    expect(shareBelow(ranking, 0)).toBe(1);
    expect(shareBelow(ranking, -11)).toBe(0);
    expect(shareBelow(ranking, -2)).toBe(0.5);
  });

  it("is 0 where there is nothing to compare with", () => {
    expect(shareBelow(rankingOf([]), -1)).toBe(0);
  });
});

describe("histogram", () => {
  it("puts every value in a bin, those beyond the ends in the outer ones", () => {
    expect(histogram(rankingOf([-5, 0, 0.4, 0.6, 1, 9]), 0, 1, 2)).toEqual([3, 3]);
  });
});

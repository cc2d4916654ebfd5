import { describe, expect, it } from "vitest";
import { contextTree, foldsOf, innerNodes, reaches } from "../../../demo/src/tree";

const foldLists = [[2, 2, 2], [3], [3, 2], [2, 3, 4], [4, 4], [1, 2]];

describe("contextTree", () => {
  it.each(foldLists)("of folds %j spans exactly the context", (...folds) => {
    const context = reaches(folds).at(-1) ?? 1;
    const nodes = contextTree(folds, 5, 5 - 3 * context);
    const used = new Set([`${folds.length}@5`]);
    for (let level = folds.length; level > 0; level--)
      for (const node of nodes)
        if (node.level === level && used.has(`${level}@${node.position}`))
          for (const below of node.joins) used.add(`${level - 1}@${below}`);
    const characters = [...used].filter((key) => key.startsWith("0@")).map((key) => Number(key.slice(2)));
    expect(characters.sort((a, b) => a - b)).toEqual(
      Array.from({ length: context }, (_, i) => 5 - context + 1 + i),
    );
    // Per level, the nodes that the walk reached are the ones drawn as used.
    const drawn = nodes
      .filter((node) => node.state !== "idle")
      .map((node) => `${node.level}@${node.position}`);
    expect(new Set(drawn)).toEqual(used);
  });

  it.each(foldLists)("of folds %j shares only nodes that an earlier character computed", (...folds) => {
    for (const node of contextTree(folds, 9, -20)) {
      if (node.state !== "shared") continue;
      const then = contextTree(folds, node.position, -20).find(
        (other) => other.level === node.level && other.position === node.position,
      );
      expect(then?.state).toBe("new");
      expect(then?.joins).toEqual(node.joins);
    }
  });

  it.each(foldLists)("of folds %j has the right counts", (...folds) => {
    const inner = contextTree(folds, 9, -40).filter((node) => node.level > 0);
    expect(innerNodes(folds)).toEqual({
      all: inner.filter((node) => node.state !== "idle").length,
      fresh: inner.filter((node) => node.state === "new").length,
    });
  });
});

describe("foldsOf", () => {
  it("reads the folds from the shapes", () => {
    const layer = { name: "", parameters: 0 };
    expect(
      foldsOf([
        { ...layer, type: "Embedding", inputShape: [6], outputShape: [6, 10] },
        { ...layer, type: "FlattenConsecutive", inputShape: [6, 10], outputShape: [2, 30] },
        { ...layer, type: "Linear", inputShape: [2, 30], outputShape: [2, 50] },
        { ...layer, type: "FlattenConsecutive", inputShape: [2, 50], outputShape: [1, 100] },
      ]),
    ).toEqual([3, 2]);
  });
});

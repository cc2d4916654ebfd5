/**
 * The context tree, and which of its nodes are reused one character later.
 *
 * Level 0 is the characters; a node of level l stands at the newest of the characters below it,
 * and joins `fold` nodes of the level below, `dilation` apart. When the window moves on by one
 * character, the tree over it is another, but all its nodes except the one at the new character
 * were already computed for earlier windows, if they were kept: that is the convolution.
 */
import type { LayerInfo } from "makemore-web";

/** One node of the drawing. */
export interface TreeNode {
  /** 0 is the characters. */
  readonly level: number;
  /** Position of its newest character; below 0 for the padding before the word. */
  readonly position: number;
  /** `new`: this character's own; `shared`: computed earlier, used again; `idle`: earlier, not used. */
  readonly state: "new" | "shared" | "idle";
  /** Positions of the level below that it joins. Empty for idle nodes and characters. */
  readonly joins: readonly number[];
}

/** The folds of a model, from the characters up: what each FlattenConsecutive joins. */
export function foldsOf(layers: readonly LayerInfo[]): number[] {
  return layers
    .filter((layer) => layer.type === "FlattenConsecutive")
    .map((layer) => (layer.inputShape[0] ?? 1) / (layer.outputShape[0] ?? 1));
}

/** Characters that a node of each level sees, from level 0: [1, 2, 4, 8] for folds of 2, 2, 2. */
export function reaches(folds: readonly number[]): number[] {
  const out = [1];
  for (const fold of folds) out.push((out.at(-1) ?? 1) * fold);
  return out;
}

/** All nodes from `first` to the window that ends at `at`, level by level from the characters. */
export function contextTree(folds: readonly number[], at: number, first: number): TreeNode[] {
  const reach = reaches(folds);
  const context = reach.at(-1) ?? 1;
  return reach.flatMap((width, level) => {
    const below = reach[level - 1] ?? 0;
    const fold = folds[level - 1] ?? 0;
    return Array.from({ length: at - first + 1 }, (_, i): TreeNode => {
      const position = first + i;
      const age = at - position;
      const used = age < context && age % width === 0;
      return {
        level,
        position,
        state: age === 0 ? "new" : used ? "shared" : "idle",
        joins: used ? Array.from({ length: fold }, (_, j) => position - j * below) : [],
      };
    });
  });
}

/** Inner nodes (level 1 and up) of the tree at `at`: all of them, and those that are new. */
export function innerNodes(folds: readonly number[]): { all: number; fresh: number } {
  const reach = reaches(folds);
  const context = reach.at(-1) ?? 1;
  return {
    all: reach.slice(1).reduce((sum, width) => sum + context / width, 0),
    fresh: folds.length,
  };
}

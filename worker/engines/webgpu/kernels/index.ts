import type { Optimizer } from "../../../optimizers";
import type { BlockPlan, Plan } from "../plan";
import { backwardKernel } from "./backward";
import { embeddingKernel } from "./embedding";
import { firstKernel } from "./first";
import { forwardKernel } from "./forward";
import { headKernel } from "./head";
import type { Kernel } from "./kernel";
import type { Drawn } from "./minibatch";
import { normalizeKernel } from "./normalize";
import { backwardProduct, forwardProduct, isTiled } from "./product";
import { updateKernel } from "./update";
import type { Shape } from "./workgroup";

/** The kernels of a step, in the order they run. docs/webgpu.md draws them. */
export function stepKernels(plan: Plan, drawn: Drawn, optimizer: Optimizer, shape: Shape): Kernel[] {
  const { blocks } = plan;
  const { tiles } = shape;
  // The head is trained by the kernel of the level below it, if there is one.
  const trained = blocks.length > 1 ? blocks.slice(0, -1) : blocks;
  const forward = (level: BlockPlan) =>
    isTiled(plan, level, shape)
      ? [forwardProduct(plan, level, tiles), normalizeKernel(plan, level, shape)]
      : [forwardKernel(plan, level, shape)];
  const backward = (level: BlockPlan, next: BlockPlan | undefined) =>
    next && isTiled(plan, next, shape)
      ? [
          backwardProduct(plan, level, next, tiles),
          updateKernel(plan, next, optimizer, tiles),
          backwardKernel(plan, level, undefined, optimizer, shape),
        ]
      : [backwardKernel(plan, level, next, optimizer, shape)];
  return [
    firstKernel(plan, drawn, shape),
    ...blocks.slice(1, -1).flatMap(forward),
    headKernel(plan, drawn.tables, shape),
    ...trained
      .map((level, i) => backward(level, blocks[i + 1]))
      .reverse()
      .flat(),
    embeddingKernel(plan, optimizer),
  ];
}

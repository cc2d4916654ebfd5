import type { Optimizer } from "../../../optimizers";
import type { Plan } from "../plan";
import { backwardKernel } from "./backward";
import { embeddingKernel } from "./embedding";
import { firstKernel } from "./first";
import { forwardKernel } from "./forward";
import { headKernel } from "./head";
import type { Kernel } from "./kernel";
import type { Drawn } from "./minibatch";
import type { Shape } from "./workgroup";

/** The kernels of a step, in the order they run. docs/webgpu.md draws them. */
export function stepKernels(plan: Plan, drawn: Drawn, optimizer: Optimizer, shape: Shape): Kernel[] {
  const { blocks } = plan;
  // The head is trained by the kernel of the level below it, if there is one.
  const trained = blocks.length > 1 ? blocks.slice(0, -1) : blocks;
  return [
    firstKernel(plan, drawn, shape),
    ...blocks.slice(1, -1).map((level) => forwardKernel(plan, level, shape)),
    headKernel(plan, drawn.tables, shape),
    ...trained.map((level, i) => backwardKernel(plan, level, blocks[i + 1], optimizer, shape)).reverse(),
    embeddingKernel(plan, optimizer),
  ];
}

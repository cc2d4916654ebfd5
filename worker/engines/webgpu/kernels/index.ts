import type { EngineSetup } from "../../engine";
import type { Plan } from "../plan";
import { backwardKernel } from "./backward";
import { embeddingKernel } from "./embedding";
import { firstKernel } from "./first";
import { forwardKernel } from "./forward";
import { headKernel } from "./head";
import type { Kernel } from "./kernel";
import type { Shape } from "./lanes";

/** The kernels of a step, in the order they run. docs/webgpu.md draws them. */
export function stepKernels(
  plan: Plan,
  setup: Pick<EngineSetup, "optimizer" | "stream" | "seed">,
  shape: Shape,
): Kernel[] {
  const { blocks } = plan;
  // The head is trained by the kernel of the level below it, if there is one.
  const trained = blocks.length > 1 ? blocks.slice(0, -1) : blocks;
  return [
    firstKernel(plan, setup, shape),
    ...blocks.slice(1, -1).map((level) => forwardKernel(plan, level, shape)),
    headKernel(plan, shape),
    ...trained
      .map((level, i) => backwardKernel(plan, level, blocks[i + 1], setup.optimizer, shape))
      .reverse(),
    embeddingKernel(plan, setup.optimizer),
  ];
}

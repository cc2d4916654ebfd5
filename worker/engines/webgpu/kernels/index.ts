import type { EngineSetup } from "../../engine";
import type { Plan } from "../plan";
import { backwardKernel } from "./backward";
import { characterSumsKernel } from "./characterSums";
import { embeddingKernel } from "./embedding";
import { forwardKernel } from "./forward";
import { headKernel } from "./head";
import type { Kernel } from "./kernel";
import { minibatchKernel } from "./minibatch";
import { updateKernel, WEIGHTS_AT_ONCE } from "./update";

/** The kernels of a step, in the order they run. */
export function stepKernels(
  plan: Plan,
  { optimizer, stream, seed }: Pick<EngineSetup, "optimizer" | "stream" | "seed">,
): Kernel[] {
  const { blocks, head } = plan;
  const levels = blocks.slice(0, -1);
  const updates: Kernel[] = [];
  for (let i = 0; i < blocks.length; i += WEIGHTS_AT_ONCE)
    updates.push(updateKernel(blocks.slice(i, i + WEIGHTS_AT_ONCE), optimizer));
  return [
    minibatchKernel(plan, stream, seed),
    ...levels.map(forwardKernel),
    headKernel(plan),
    ...levels.map((level, i) => backwardKernel(level, blocks[i + 1] ?? head, optimizer)).reverse(),
    characterSumsKernel(plan),
    embeddingKernel(plan, optimizer),
    ...updates,
  ];
}

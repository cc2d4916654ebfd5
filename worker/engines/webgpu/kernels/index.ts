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

/**
 * The kernels of a step, in the order they run.
 *
 * @param subgroups whether the device has the optional feature, as ../subgroups.ts finds it
 */
export function stepKernels(
  plan: Plan,
  { optimizer, stream, seed }: Pick<EngineSetup, "optimizer" | "stream" | "seed">,
  subgroups: boolean,
): Kernel[] {
  const { blocks, head } = plan;
  const levels = blocks.slice(0, -1);
  const updates: Kernel[] = [];
  for (let i = 0; i < blocks.length; i += WEIGHTS_AT_ONCE)
    updates.push(updateKernel(plan, blocks.slice(i, i + WEIGHTS_AT_ONCE), optimizer, subgroups));
  return [
    minibatchKernel(plan, stream, seed),
    ...levels.map((level) => forwardKernel(plan, level, subgroups)),
    headKernel(plan),
    ...levels
      .map((level, i) => backwardKernel(plan, level, blocks[i + 1] ?? head, optimizer, subgroups))
      .reverse(),
    characterSumsKernel(plan),
    embeddingKernel(plan, optimizer),
    ...updates,
  ];
}

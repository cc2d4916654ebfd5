/** The sections of the page that measure training: whole steps by size, and the peers. */

import { createWebGPUEngine } from "../../../worker/engines/webgpu";
import { createTrainer, type Trainer } from "../trainers";
import { ownShape } from "./engine";
import { stepTime, time } from "./measure";
import { type Size, setUp, sgd } from "./models";

export interface StepTime {
  /** Microseconds per step, by the page's clock. */
  readonly us: number;
  /** Steps of one measurement. */
  readonly steps: number;
  /** Time until the loss of the first step, including compilation, ms. */
  readonly firstStepMs: number;
  /** Losses of the first steps, for comparison. */
  readonly losses: readonly number[];
}

async function trained(open: () => Promise<Trainer>): Promise<StepTime> {
  let trainer: Trainer | undefined;
  try {
    const losses: number[] = [];
    const firstStepMs = await time(async () => {
      trainer = await open();
      losses.push(...(await trainer.run(0, new Float32Array(1).fill(0.001))));
    });
    const run = async (steps: number) => trainer?.run(losses.length, new Float32Array(steps).fill(0.001));
    losses.push(...((await run(2)) ?? []));
    return { ...(await stepTime(run)), firstStepMs: Math.round(firstStepMs), losses };
  } finally {
    trainer?.dispose();
  }
}

/** Times this package's engine at one size. */
export async function engineTime(size: Size): Promise<StepTime> {
  const setup = await setUp(size);
  const shape = await ownShape();
  return trained(() => createWebGPUEngine(setup, { shape }));
}

/** Times a peer on the lecture's model, batch 32, SGD. */
export async function peerTime(name: string): Promise<StepTime> {
  const setup = await setUp({ model: "wavenet", batchSize: 32, optimizer: sgd });
  return trained(() => createTrainer(name, setup));
}

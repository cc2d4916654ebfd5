/**
 * What a step of the webgpu engine asks of a GPU, by kernel, worked out from the kernels themselves
 * and from nothing measured: floating-point operations, bytes, workgroups, and from these an estimate
 * of the time on two kinds of GPU. The tables of docs/performance.md.
 *
 *     npm run bench:gpu -- [batchSize] [sgd | adamw]
 */

import * as v from "valibot";
import { buildDataset } from "../worker/data/dataset";
import { stepKernels } from "../worker/engines/webgpu/kernels";
import type { Kernel } from "../worker/engines/webgpu/kernels/kernel";
import { planChain } from "../worker/engines/webgpu/plan";
import { architecture } from "../worker/model/architectures";
import { asBlocks } from "../worker/model/blocks";
import { buildNetwork } from "../worker/model/network";
import { type Optimizer, optimizerSchema, stateOf } from "../worker/optimizers";
import { table } from "./statistics";

/** A kind of GPU, as far as the estimate goes. */
interface GPU {
  readonly name: string;
  /** What a workgroup runs on: a streaming multiprocessor, a compute unit, an Xe core. */
  readonly cores: number;
  /** Fused multiply-adds a second of one core, at its best. */
  readonly multiplyAdds: number;
  /** From the cache that all cores share, bytes a second. */
  readonly bandwidth: number;
  /** From the end of a dispatch to the begin of the next one that waits for it, seconds. */
  readonly gap: number;
}

const gpus: readonly GPU[] = [
  { name: "integrated", cores: 8, multiplyAdds: 128 * 1.3e9, bandwidth: 100e9, gap: 8e-6 },
  { name: "discrete", cores: 28, multiplyAdds: 128 * 1.8e9, bandwidth: 1000e9, gap: 4e-6 },
];

/**
 * What 64 lanes, two warps or a wavefront, get out of a core: they cannot hide its latencies from one
 * another, and each has only its own sums to go on with. So up to MOST times as many get more out of it.
 */
const UTILISATION = 0.15;
const MOST = 4;

/** What a kernel does. Bytes are of what it reads and writes, each counted once. */
interface Work {
  readonly kernel: Kernel;
  readonly flop: number;
  readonly bytes: number;
}

/** The step of the default model, by kernel. */
function workOf(batch: number, optimizer: Optimizer): Work[] {
  const states = stateOf(optimizer).length;
  // Which words there are changes no size.
  const { train } = buildDataset("emma\nolivia", { seed: 1, split: [1, 0, 0], shuffle: false });
  const chain = asBlocks(buildNetwork(architecture("wavenet"), 27));
  if (!chain) throw new Error("The default model is a chain of blocks.");
  const plan = planChain(chain, batch, states);
  const { head } = plan;
  const levels = plan.blocks.slice(0, -1);
  const [first = head] = plan.blocks;
  const VEC4 = 16;
  const tokens = batch * chain.contextLength;
  /** Parameter in and out, and the optimiser's states too. */
  const learned = (2 + 2 * states) * VEC4;
  const product = ({ rows, fanIn4, fanOut4 }: typeof head) => 2 * rows * fanIn4 * 4 * fanOut4 * 4;
  const weights = ({ fanIn4, fanOut4 }: typeof head) => fanIn4 * 4 * fanOut4;
  const sums = chain.vocabularySize * first.block.fold * first.fanOut4;
  const embedding = chain.vocabularySize * plan.dimensions4;
  // In the order of the kernels.
  const works: Omit<Work, "kernel">[] = [
    { flop: 0, bytes: tokens * (8 + 2 * plan.dimensions4 * VEC4) },
    ...levels.map((level) => ({
      flop: product(level),
      bytes: (level.rows * (level.fanIn4 + 2 * level.fanOut4) + weights(level)) * VEC4,
    })),
    { flop: product(head), bytes: (batch * (head.fanIn4 + head.fanOut4) + weights(head)) * VEC4 },
    ...levels
      .map((level, i) => {
        const next = plan.blocks[i + 1] ?? head;
        return {
          flop: product(next),
          bytes: (next.rows * next.fanOut4 + weights(next) + 3 * level.rows * level.fanOut4) * VEC4,
        };
      })
      .reverse(),
    {
      flop: tokens * first.fanOut4 * 4,
      bytes: (first.rows * first.fanOut4 + sums) * VEC4 + tokens * 4,
    },
    {
      flop: 2 * embedding * 4 * first.block.fold * first.fanOut4 * 4,
      bytes: (sums + weights(first)) * VEC4 + embedding * learned,
    },
    {
      flop: plan.blocks.reduce((sum, block) => sum + product(block), 0),
      bytes: plan.blocks.reduce(
        (sum, block) => sum + block.rows * (block.fanIn4 + block.fanOut4) * VEC4 + weights(block) * learned,
        0,
      ),
    },
  ];
  const kernels = stepKernels(plan, { optimizer, stream: train, seed: 1 }, true);
  return kernels.map((kernel, i) => {
    const work = works[i];
    if (!work || kernels.length !== works.length) throw new Error(`What is the work of ${kernel.name}?`);
    return { kernel, ...work };
  });
}

/** Seconds: the wait, and then the slower of computing, on what cores have work, and fetching. */
function estimate({ kernel, flop, bytes }: Work, { cores, multiplyAdds, bandwidth, gap }: GPU): number {
  const shares = Math.min((kernel.workgroups * lanesOf(kernel)) / 64, cores * MOST);
  const atOnce = shares * multiplyAdds * UTILISATION;
  return gap + Math.max(flop / 2 / atOnce, bytes / bandwidth);
}

function lanesOf({ code }: Kernel): number {
  return Number(/const LANES = (\d+)u/.exec(code)?.[1] ?? /@workgroup_size\((\d+)\)/.exec(code)?.[1]);
}

/** Prints it. */
export function main([batchSize = "32", optimizer = "sgd"]: string[]): void {
  const batch = Number(batchSize);
  if (!Number.isInteger(batch) || batch < 2) throw new Error(`"${batchSize}" is no batch size.`);
  const works = workOf(batch, v.parse(optimizerSchema, optimizer));
  const row = (name: string, shape: string, flop: number, bytes: number, seconds: number[]) => [
    name,
    shape,
    (flop / 1e6).toFixed(2),
    (bytes / 1e3).toFixed(0),
    ...seconds.map((s) => (s * 1e6).toFixed(0)),
  ];
  const total = (of: (work: Work) => number) => works.reduce((sum, work) => sum + of(work), 0);
  const steps = gpus.map((gpu) => total((work) => estimate(work, gpu)));
  console.log(`The default model, batch ${batch}, ${optimizer}; microseconds are estimates.\n`);
  console.log(
    table(
      ["kernel", "workgroups x lanes", "MFLOP", "kB", ...gpus.map(({ name }) => `${name}, us`)],
      [
        ...works.map((work) =>
          row(
            work.kernel.name.replace(/of linear1\.weight, .*/, "of all weights"),
            `${work.kernel.workgroups} x ${lanesOf(work.kernel)}`,
            work.flop,
            work.bytes,
            gpus.map((gpu) => estimate(work, gpu)),
          ),
        ),
        row(
          "a step",
          "",
          total(({ flop }) => flop),
          total(({ bytes }) => bytes),
          steps,
        ),
      ],
    ),
  );
  for (const [i, { name, cores }] of gpus.entries())
    console.log(`${name}, ${cores} cores: about ${Math.round(1 / (steps[i] ?? 1) / 100) * 100} steps/s`);
}

/**
 * Where everything lies on the GPU. Think of a block chain as the lecture's tensors, each stored
 * row by row with its channels filled up to a multiple of eight, so that every kernel reads and
 * writes whole vec4s, two at a time. What is filled up is zero and stays zero: a zero weight of a zero input gets
 * a zero gradient.
 *
 * With rows stored so, FlattenConsecutive costs nothing: `n` rows that stand together, read as
 * one, are the joined row. The weight that reads it has the same holes as the row.
 *
 * docs/webgpu.md draws this.
 */
import { MakemoreError } from "../../../src/errors";
import type { Block, BlockChain } from "../../model/blocks";

/** Buffers that every engine has; the others are named by the weight or the gamma they hold. */
export const Buffers = {
  /** What differs from step to step; see kernels/kernel.ts. */
  steps: "steps",
  /** Inputs, outputs and gradients of all blocks for one minibatch. */
  activations: "activations",
  /** Products of matrices, before the lanes that share a sum have added up; see kernels/forward.ts. */
  partials: "partials",
  /** The minibatch: its contexts, [batch, contextLength], then its targets, [batch]. */
  tokens: "tokens",
  /** The training split. */
  stream: "stream",
  /** Positions that the caller chose, [steps, batch]. */
  positions: "positions",
  /** AdamW's moments of the embedding and the weights. */
  moments: "moments",
  /** Loss of each example of a chunk, [steps, batch]. */
  exampleLosses: "exampleLosses",
  /** Mean of each step of a chunk. */
  losses: "losses",
} as const;

/** Where a tensor and its AdamW moments begin, in vec4s. */
export interface TrainedPlan {
  /** In its own buffer, which has the tensor's name. */
  readonly at: number;
  /** In the buffer of moments. */
  readonly m: number;
  readonly v: number;
}

/** A block with everything a kernel needs to know of it. Sizes and places are in vec4s. */
export interface BlockPlan {
  readonly block: Block;
  /** Rows of its output: batch x positions. */
  readonly rows: number;
  /** vec4s of a row of its input and of its output. */
  readonly fanIn4: number;
  readonly fanOut4: number;
  /** In `activations`: the input, [rows, fanIn4]; it is the output of the block below. */
  readonly x: number;
  /** In `activations`: what the norm makes of the Linear's output before gamma and beta. */
  readonly normalized: number;
  /** In `activations`: the output, [rows, fanOut4]; the head has none. */
  readonly y: number;
  /** In `activations`: the loss's gradient by the Linear's output, [rows, fanOut4]. */
  readonly gradient: number;
  readonly weight: TrainedPlan;
}

export interface Plan {
  readonly chain: BlockChain;
  readonly batch: number;
  /** vec4s of an embedded token. */
  readonly dimensions4: number;
  readonly embedding: TrainedPlan;
  /** From the characters up; the last is the head. */
  readonly blocks: readonly BlockPlan[];
  readonly head: BlockPlan;
  /** vec4s of each buffer whose size the model decides. */
  readonly sizes: ReadonlyMap<string, number>;
}

/**
 * Rows of a norm's buffer, each of fanOut4 vec4s: what a channel has one number of. The last
 * four are AdamW's.
 */
export const NormRow = {
  gamma: 0,
  beta: 1,
  runningMean: 2,
  runningVariance: 3,
  /** 1 / sqrt(variance + epsilon) of the minibatch, from the forward to the backward pass. */
  inverseDeviation: 4,
  gammaM: 5,
  gammaV: 6,
  betaM: 7,
  betaV: 8,
} as const;
const NORM_ROWS = 9;

/** Lanes of the largest workgroup: `laneShape` in kernels/kernel.ts. */
export const MAX_LANES = 128;

/** vec4s that a row of `channels` numbers takes: an even number. */
export function vec4s(channels: number): number {
  return 2 * Math.ceil(channels / 8);
}

/** Lays out a chain for minibatches of `batch` examples. */
export function planChain(chain: BlockChain, batch: number, adamw: boolean): Plan {
  const sizes = new Map<string, number>();
  const activations = new Allocator();
  const moments = new Allocator();
  const trained = (name: string, size: number): TrainedPlan => {
    sizes.set(name, size);
    return { at: 0, m: adamw ? moments.take(size) : 0, v: adamw ? moments.take(size) : 0 };
  };

  const dimensions4 = vec4s(chain.embedding.dimensions);
  const embedding = trained(chain.embedding.weight, chain.vocabularySize * dimensions4);
  const blocks: BlockPlan[] = [];
  let x = activations.take(batch * chain.contextLength * dimensions4);
  let channels4 = dimensions4;
  for (const block of chain.blocks) {
    const rows = batch * block.positions;
    const fanIn4 = block.fold * channels4;
    const fanOut4 = vec4s(block.fanOut);
    const size = rows * fanOut4;
    const isHead = block === chain.blocks.at(-1);
    const plan: BlockPlan = {
      block,
      rows,
      fanIn4,
      fanOut4,
      x,
      normalized: block.norm ? activations.take(size) : 0,
      y: isHead ? 0 : activations.take(size),
      gradient: activations.take(size),
      // A bias is the weight's row for an input that is always 1. It comes with seven rows of zeros.
      weight: trained(block.weight, (fanIn4 + (block.bias ? 2 : 0)) * 4 * fanOut4),
    };
    if (block.norm) sizes.set(block.norm.gamma, NORM_ROWS * fanOut4);
    blocks.push(plan);
    x = plan.y;
    channels4 = fanOut4;
  }
  const head = blocks.at(-1);
  if (!head) throw new MakemoreError("INVALID_MODEL", "A model needs a Linear to make the logits.");
  sizes.set(Buffers.activations, activations.size);
  sizes.set(Buffers.partials, Math.max(1, ...blocks.slice(1).map((next, i) => partialsOf(blocks[i], next))));
  if (adamw) sizes.set(Buffers.moments, moments.size);
  return { chain, batch, dimensions4, embedding, blocks, head, sizes };
}

/** The most vec4s that the forward or the backward pass of a block writes to `partials`. */
function partialsOf(plan: BlockPlan | undefined, next: BlockPlan): number {
  const tiledRows = next.block.fold * Math.ceil(next.rows / 4) * 4;
  // Fewer rows than four for each lane: their lanes' partial sums take as much as that.
  return Math.max(tiledRows, 4 * MAX_LANES) * (plan?.fanOut4 ?? 0);
}

/** Hands out one buffer piece by piece. */
class Allocator {
  size = 0;

  take(size: number): number {
    const at = this.size;
    this.size += size;
    return at;
  }
}

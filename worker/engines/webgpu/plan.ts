/**
 * Where everything lies on the GPU. Think of a block chain as the lecture's tensors, each stored
 * row by row with its channels filled up to a multiple of eight, so that every kernel reads and
 * writes whole vec4s, one or two at a time. What is filled up is zero and stays zero: a zero weight of a zero input gets
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
  /**
   * The minibatch: for each place of the first block's joined rows, the characters of all rows,
   * [fold, tokenRows]; then the tokens that come next, [batch]; then, for soft targets, the numbers of
   * the contexts, [batch].
   */
  tokens: "tokens",
  /** The training split. */
  stream: "stream",
  /** The tables of sorted examples and soft targets: ./examples.ts. */
  examples: "examples",
  /** What the teacher expects after each context, [contexts, logits]. */
  teacher: "teacher",
  /** Positions that the caller chose, [steps, batch]. */
  positions: "positions",
  /** AdamW's moments of the embedding and the weights. */
  moments: "moments",
  /** Loss of each example of a chunk, [steps, batch]. */
  exampleLosses: "exampleLosses",
  /** Mean of each step of a chunk. */
  losses: "losses",
} as const;

/**
 * Where the first (m) and second (v) state of a tensor begin in the buffer of moments, in vec4s; the
 * tensor itself begins its own buffer, which has its name.
 */
export interface TrainedPlan {
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
  /** In `activations`: the input, [rows, fanIn4], which is the output of the block below; the first has none. */
  readonly x: number;
  /** In `activations`: what the norm makes of the Linear's output before gamma and beta. */
  readonly normalized: number;
  /** In `activations`: the output, [rows, fanOut4]; of the head, its logits if it is the first block. */
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
  /**
   * In `activations`, for each vec4 of the first block's channels: its share of the embedding's gradient,
   * [fanOut4, vocabulary, dimensions4].
   */
  readonly demb: number;
  /** In `activations`: the first block's gradient by character and place, [fanOut4, vocabulary, fold]. */
  readonly characterSums: number;
  /** Rows of the first block, filled up to a multiple of 32 with NO_CHARACTER. */
  readonly tokenRows: number;
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
  GAMMA: 0,
  BETA: 1,
  RUNNING_MEAN: 2,
  RUNNING_VARIANCE: 3,
  /** gamma / sqrt(variance + epsilon) of the minibatch, from the forward to the backward pass. */
  SCALE: 4,
  GAMMA_M: 5,
  GAMMA_V: 6,
  BETA_M: 7,
  BETA_V: 8,
} as const;
const NORM_ROWS = 9;

/** Padding id for missing rows; never a valid character. */
export const NO_CHARACTER = 0xffff_ffff;

/** vec4s that a row of `channels` numbers takes: an even number. */
export function vec4s(channels: number): number {
  return 2 * Math.ceil(channels / 8);
}

/** Lays out a chain for minibatches of `batch` examples and an optimiser with 0 to 2 states. */
export function planChain(chain: BlockChain, batch: number, states: number): Plan {
  const sizes = new Map<string, number>();
  const activations = new Allocator();
  const moments = new Allocator();
  const trained = (name: string, size: number): TrainedPlan => {
    sizes.set(name, size);
    return { m: states > 0 ? moments.take(size) : 0, v: states > 1 ? moments.take(size) : 0 };
  };

  const dimensions4 = vec4s(chain.embedding.dimensions);
  const embedding = trained(chain.embedding.weight, chain.vocabularySize * dimensions4);
  const blocks: BlockPlan[] = [];
  let x = 0;
  let channels4 = dimensions4;
  for (const block of chain.blocks) {
    const rows = batch * block.positions;
    const fanIn4 = block.fold * channels4;
    const fanOut4 = vec4s(block.fanOut);
    const size = rows * fanOut4;
    // The head's kernel keeps its logits to itself, except if it is all there is.
    const hasOutput = block !== chain.blocks.at(-1) || chain.blocks.length === 1;
    const plan: BlockPlan = {
      block,
      rows,
      fanIn4,
      fanOut4,
      x,
      normalized: block.norm ? activations.take(size) : 0,
      y: hasOutput ? activations.take(size) : 0,
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
  const [first = head] = blocks;
  const demb = activations.take(first.fanOut4 * chain.vocabularySize * dimensions4);
  const characterSums = activations.take(first.fanOut4 * chain.vocabularySize * first.block.fold);
  sizes.set(Buffers.activations, activations.size);
  const tokenRows = Math.ceil(first.rows / 32) * 32;
  sizes.set(Buffers.tokens, Math.ceil((first.block.fold * tokenRows + 2 * batch) / 4));
  if (states > 0) sizes.set(Buffers.moments, moments.size);
  return { chain, batch, dimensions4, embedding, demb, characterSums, tokenRows, blocks, head, sizes };
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

/**
 * Layout of all data on the GPU. Each of the lecture's tensors is stored row by row, with its channels
 * padded to a multiple of eight, so that every kernel reads and writes whole vec4s, one or two at a time.
 * The padding is zero and stays zero, because a zero weight of a zero input gets a zero gradient.
 *
 * In this layout FlattenConsecutive costs nothing: `n` consecutive rows, read as one, are the joined row.
 * The weight that multiplies it has the same padding as the row.
 *
 * docs/webgpu.md draws this.
 */
import { MakemoreError } from "../../../src/errors";
import type { Block, BlockChain } from "../../model/blocks";

/** Buffers of every engine; the others have the name of the weight or the gamma that they hold. */
export const Buffers = {
  /** The values that differ per step; see kernels/kernel.ts. */
  steps: "steps",
  /** Inputs, outputs and gradients of all blocks for one minibatch. */
  activations: "activations",
  /**
   * The minibatch: the characters of all rows, for each place of the first block's joined rows,
   * [fold, tokenRows]; then the target tokens, [batch]; then, for soft targets, the context ids, [batch].
   */
  tokens: "tokens",
  /** The training split. */
  stream: "stream",
  /** The tables of sorted examples and soft targets: ./examples.ts. */
  examples: "examples",
  /** The teacher's probabilities per context, [contexts, logits]. */
  teacher: "teacher",
  /** Positions that the caller chose, [steps, batch]. */
  positions: "positions",
  /** The optimiser's states of the embedding and the weights. */
  moments: "moments",
  /** Loss of each example of a chunk, [steps, batch]. */
  exampleLosses: "exampleLosses",
  /** Mean loss of each step of a chunk, [steps]. */
  losses: "losses",
} as const;

/**
 * Offsets of a tensor's first (m) and second (v) state in the buffer of moments, in vec4s. The tensor itself
 * is at the start of its own buffer, which has its name.
 */
export interface TrainedPlan {
  readonly m: number;
  readonly v: number;
}

/** Everything that a kernel needs of a block. Sizes and places are in vec4s. */
export interface BlockPlan {
  readonly block: Block;
  /** Rows of its output: batch x positions. */
  readonly rows: number;
  /** vec4s per row of its input and of its output. */
  readonly fanIn4: number;
  readonly fanOut4: number;
  /** In `activations`: the input, [rows, fanIn4], which is the output of the block below. The first block has none. */
  readonly x: number;
  /** In `activations`: the norm's result before gamma and beta. */
  readonly normalized: number;
  /** In `activations`: the output, [rows, fanOut4]. A head has it (its logits) only if it is the first block. */
  readonly y: number;
  /** In `activations`: the gradient of the loss with respect to the Linear's output, [rows, fanOut4]. */
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
   * In `activations`: each of the first block's vec4s of channels has its partial gradient of the embedding,
   * [fanOut4, vocabulary, dimensions4].
   */
  readonly demb: number;
  /** In `activations`: the first block's gradient by character and place, [fanOut4, vocabulary, fold]. */
  readonly characterSums: number;
  /** Rows of the first block, padded to a multiple of 32 with NO_CHARACTER. */
  readonly tokenRows: number;
  /** The blocks from the characters up; the last one is the head. */
  readonly blocks: readonly BlockPlan[];
  readonly head: BlockPlan;
  /** Sizes, in vec4s, of the buffers that depend on the model. */
  readonly sizes: ReadonlyMap<string, number>;
}

/**
 * Rows of a norm's buffer, each of fanOut4 vec4s, with one number per channel. The last four are the
 * optimiser's states.
 */
export const NormRow = {
  GAMMA: 0,
  BETA: 1,
  RUNNING_MEAN: 2,
  RUNNING_VARIANCE: 3,
  /** gamma / sqrt(variance + epsilon) of the minibatch; the forward pass stores it for the backward pass. */
  SCALE: 4,
  GAMMA_M: 5,
  GAMMA_V: 6,
  BETA_M: 7,
  BETA_V: 8,
} as const;
const NORM_ROWS = 9;

/** Padding id for missing rows; never a valid character. */
export const NO_CHARACTER = 0xffff_ffff;

/** vec4s per row of `channels` numbers; always even. */
export function vec4s(channels: number): number {
  return 2 * Math.ceil(channels / 8);
}

/** Plans a chain for minibatches of `batch` examples and an optimiser with 0 to 2 states. */
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
    // The head's kernel does not store its logits, except if the head is the only block.
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
      // A bias is the weight's row for an input that is always 1, followed by seven rows of zeros.
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

/** Allocates pieces of one buffer. */
class Allocator {
  size = 0;

  take(size: number): number {
    const at = this.size;
    this.size += size;
    return at;
  }
}

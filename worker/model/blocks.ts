/**
 * The shape that the fast engines and the convolutional form know: an Embedding, then blocks of
 *
 *     fold neighbours -> Linear -> BatchNorm1d? -> Tanh?
 *
 * of which the last, the head, is a bare Linear that leaves one position. Every model of the
 * lecture is of this shape, and so is any list that only leaves out norms, biases or tanhs. A
 * list of another shape (a Tanh before a BatchNorm1d, say) is left to the tfjs engine.
 */
import type { Network } from "./network";

/** One level. Its input is [positions * fold, fanIn / fold], its output [positions, fanOut]. */
export interface Block {
  /** The Linear's layer name. */
  readonly name: string;
  /** Neighbouring positions that are joined; 1 where there is nothing to join. */
  readonly fold: number;
  /** Positions of the output; 1 at the head. */
  readonly positions: number;
  /** fold times the channels below. Row j * channels + c of the weight is channel c of neighbour j. */
  readonly fanIn: number;
  readonly fanOut: number;
  /** Names of parameters. `weight` is [fanIn, fanOut]. */
  readonly weight: string;
  readonly bias?: string;
  readonly norm?: {
    readonly gamma: string;
    readonly beta: string;
    readonly runningMean: string;
    readonly runningVariance: string;
    readonly momentum: number;
    readonly epsilon: number;
  };
  readonly tanh: boolean;
}

export interface BlockChain {
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** `weight` is [vocabularySize, dimensions]. */
  readonly embedding: { readonly weight: string; readonly dimensions: number };
  /** From the characters up; the last is the head: fanOut is vocabularySize, no norm, no tanh. */
  readonly blocks: readonly Block[];
}

/** The network as blocks, or undefined where it is not of that shape. */
export function asBlocks(network: Network): BlockChain | undefined {
  const [first, ...rest] = network.layers;
  if (first?.spec.type !== "Embedding") return undefined;
  const blocks: Block[] = [];
  let fold = 1;
  let block: Block | undefined;
  for (const { name, spec, outputShape } of rest) {
    switch (spec.type) {
      case "FlattenConsecutive":
        if (block) blocks.push(block);
        block = undefined;
        fold *= spec.n;
        break;
      case "Linear":
        if (block) blocks.push(block);
        block = {
          name,
          fold,
          positions: outputShape[0] ?? 1,
          fanIn: spec.fanIn ?? 0,
          fanOut: spec.fanOut ?? 0,
          weight: `${name}.weight`,
          ...(spec.bias ? { bias: `${name}.bias` } : {}),
          tanh: false,
        };
        fold = 1;
        break;
      case "BatchNorm1d":
        if (!block || block.norm || block.tanh) return undefined;
        block = {
          ...block,
          norm: {
            gamma: `${name}.gamma`,
            beta: `${name}.beta`,
            runningMean: `${name}.runningMean`,
            runningVariance: `${name}.runningVariance`,
            momentum: spec.momentum ?? 0.1,
            epsilon: spec.epsilon ?? 1e-5,
          },
        };
        break;
      case "Tanh":
        if (!block || block.tanh) return undefined;
        block = { ...block, tanh: true };
        break;
      case "Embedding":
        return undefined;
    }
  }
  if (!block || block.norm || block.tanh) return undefined;
  return {
    contextLength: network.contextLength,
    vocabularySize: network.vocabularySize,
    embedding: { weight: `${first.name}.weight`, dimensions: first.spec.dimensions },
    blocks: [...blocks, block],
  };
}

/**
 * The kind of network that the wasm and WebGPU engines for windows and the convolutional form can run: an Embedding,
 * then blocks of
 *
 *     fold neighbours -> Linear -> BatchNorm1d? -> Tanh?
 *
 * The last block, the head, is only a Linear, with one position left. Every model of the lecture is of this kind, also
 * without norms, biases or tanhs. The tfjs engine trains other networks of windows, such as one with a Tanh before a
 * BatchNorm1d.
 */
import type { BlockNorm, Layer } from "./layer";

/** One level of the tree, from [positions * fold, fanIn / fold] to [positions, fanOut]. */
export interface Block {
  /** Name of the Linear. */
  readonly name: string;
  /** Number of neighbouring positions to join; 1 if none are joined. */
  readonly fold: number;
  /** Positions of the output; 1 at the head. */
  readonly positions: number;
  /** fold times the channels below. Row j * channels + c of the weight is for channel c of neighbour j. */
  readonly fanIn: number;
  readonly fanOut: number;
  /** Name of the weight parameter, [fanIn, fanOut]. */
  readonly weight: string;
  readonly bias?: string;
  readonly norm?: BlockNorm;
  readonly tanh: boolean;
}

export interface BlockChain {
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** `weight` is [vocabularySize, dimensions]. */
  readonly embedding: { readonly weight: string; readonly dimensions: number };
  /** From the characters up. The last one is the head: fanOut is vocabularySize, no norm, no tanh. */
  readonly blocks: readonly Block[];
}

/**
 * Groups layers into blocks; undefined if that is not possible, for example because a layer has no role in a block. The
 * result is in `Network.chain`.
 */
export function asBlocks(
  layers: readonly Layer[],
  contextLength: number,
  vocabularySize: number,
): BlockChain | undefined {
  const [first, ...rest] = layers;
  const embedding = first?.block;
  if (embedding?.role !== "embedding") return undefined;
  const blocks: Block[] = [];
  let fold = 1;
  let block: Block | undefined;
  for (const { name, block: part, outputShape } of rest) {
    switch (part?.role) {
      case "fold":
        if (block) blocks.push(block);
        block = undefined;
        fold *= part.n;
        break;
      case "linear": {
        if (block) blocks.push(block);
        const { role: _, ...linear } = part;
        block = { name, fold, positions: outputShape[0] ?? 1, ...linear, tanh: false };
        fold = 1;
        break;
      }
      case "norm": {
        if (!block || block.norm || block.tanh) return undefined;
        const { role: _, ...norm } = part;
        block = { ...block, norm };
        break;
      }
      case "tanh":
        if (!block || block.tanh) return undefined;
        block = { ...block, tanh: true };
        break;
      default:
        part satisfies { role: "embedding" } | undefined;
        return undefined;
    }
  }
  if (!block || block.norm || block.tanh) return undefined;
  const { weight, dimensions } = embedding;
  return {
    contextLength,
    vocabularySize,
    embedding: { weight, dimensions },
    blocks: [...blocks, block],
  };
}

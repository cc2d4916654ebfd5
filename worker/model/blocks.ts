/**
 * The shape that the fast engines and the convolutional form know: an Embedding, then blocks of
 *
 *     fold neighbours -> Linear -> BatchNorm1d? -> Tanh?
 *
 * of which the last, the head, is a bare Linear that leaves one position. Every model of the
 * lecture is of this shape, and so is any list that only leaves out norms, biases or tanhs. A
 * list of another shape (a Tanh before a BatchNorm1d, say) is left to the tfjs engine.
 */
import type { BlockNorm, Layer } from "./layer";

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
  readonly norm?: BlockNorm;
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

/**
 * Layers as blocks, or undefined if they are not of that shape. A layer without a part in a block
 * makes them so: it is never left out. Ask `Network.chain`, which holds the answer.
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

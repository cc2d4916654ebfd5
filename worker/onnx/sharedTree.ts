/**
 * The tree over many contexts at once, for scoring and evaluation. Every distinct node is computed only once: two nodes
 * over the same characters are the same node, even in different words. (The convolution only shares nodes within a
 * word.) Each level's input lists, for each of its nodes, the rows of the level below that the node joins; for the first
 * level, these are characters. `worker/sampling/distinctNodes.ts` finds the distinct nodes.
 */
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";
import { partialProduct, splitBlock, sumProducts } from "./partialProducts";
import { windowLogits } from "./window";

/** A graph over distinct nodes. Its output `logProbabilities` is [contexts, vocabulary]. */
export interface SharedTree {
  readonly graph: GraphBuilder;
  /** From the characters up: each level's int32 input [nodes, fold], and its fold. */
  readonly levels: readonly { readonly input: string; readonly fold: number }[];
}

/** For networks that are a chain of blocks (`Network.chain`). */
export function sharedTreeGraph(network: Network, chain: BlockChain, parameters: Parameters): SharedTree {
  const graph = new GraphBuilder(network.parameters, parameters);
  const levels: { input: string; fold: number }[] = [];
  let below = graph.initializer(chain.embedding.weight);
  for (const block of chain.blocks) {
    const { name, fold } = block;
    const level = splitBlock(graph, block);
    const input = graph.input({
      name: `${name}.neighbours`,
      type: "int32",
      dimensions: [`${name}.nodes`, fold],
      description: `The ${fold} rows of the level below that each node joins.`,
    });
    levels.push({ input, fold });
    const terms = level.slices.map((_, j) => {
      const rows = graph.node(
        "Gather",
        [input, graph.constant("int64", [j], [], name)],
        { axis: { int: 1 } },
        name,
      );
      return graph.node("Gather", [partialProduct(graph, level, below, j), rows], { axis: { int: 0 } }, name);
    });
    below = sumProducts(graph, block, terms);
  }
  logProbabilities(graph, below, chain.vocabularySize);
  return { graph, levels };
}

/** For any network of windows: one level that joins the whole context, so that only equal contexts are shared. */
export function singleLevelGraph(network: Network, parameters: Parameters): SharedTree {
  const graph = new GraphBuilder(network.parameters, parameters);
  logProbabilities(graph, windowLogits(graph, network), network.vocabularySize);
  return { graph, levels: [{ input: "context", fold: network.contextLength }] };
}

function logProbabilities(graph: GraphBuilder, logits: string, vocabularySize: number): void {
  graph.node("LogSoftmax", [logits], { axis: { int: 1 } }, "logProbabilities", "logProbabilities");
  graph.output({
    name: "logProbabilities",
    type: "float",
    dimensions: ["contexts", vocabularySize],
    description: "Of the next character; id 0 is the end of the word.",
  });
}

/**
 * One character at a time, as in fast WaveNet generation (Le Paine et al., 2016). A new character makes one new node per
 * level. The node's neighbours are older, so each level keeps their partial products (`partialProducts.ts`) as state:
 *
 *     linear3.later4    output: this character's partial product for linear3, to be used four characters later
 *     linear3.earlier4  input: the `linear3.later4` of four characters earlier
 *
 * The first level needs no state: its neighbours are the last few characters, which are the input. For a small
 * vocabulary, its nodes are looked up in a table of all combinations.
 */
import type { Block, BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";
import { partialProduct, splitBlock, sumProducts } from "./partialProducts";

/** Most rows of the first level's table: enough for 64 ids folded by two, or 16 by three. */
const MAX_TABLE = 4096;

/** A state: values that the caller must keep for some characters. */
export interface State {
  readonly input: string;
  readonly output: string;
  /** The input is the output of this many characters earlier. */
  readonly delay: number;
  readonly channels: number;
  /**
   * True if the state grows by one token per run: input [batch, past, channels], output [batch, past + 1, channels].
   * Absent if it is [batch, channels].
   */
  readonly grows?: true;
}

/** A graph that runs once per character. */
export interface Stepper {
  readonly graph: GraphBuilder;
  /** The int32 input [batch, width]: the last characters, newest last. */
  readonly tokens: string;
  readonly width: number;
  readonly states: readonly State[];
  /** The float output [batch, vocabulary]: logits, or log probabilities, which are valid logits, too. */
  readonly logits: "logits" | "logProbabilities";
  /** The int32 input [batch] with the number of earlier tokens of the word; absent if the graph does not use it. */
  readonly position?: string;
  /** Absent if no layer attends to earlier tokens. */
  readonly ancestry?: Ancestry;
}

/** Inputs for attention: values of all earlier tokens of a word. */
export interface Ancestry {
  /** Float inputs [ancestors, channels]: values of the outputs [batch, channels] for tokens of earlier runs. */
  readonly memories: readonly {
    readonly input: string;
    readonly output: string;
    readonly channels: number;
  }[];
  /**
   * Int32 input [batch, time]: each word's tokens, oldest first and this one last. Each entry is a row index into this
   * batch followed by the memories. Shorter words are padded in front with any index.
   */
  readonly rows: string;
  /** Float input [batch, 1, time]: 0 for the tokens of the row's own word, -Infinity for padding. */
  readonly mask: string;
  /** Most tokens that a word can have before the current one. */
  readonly longest: number;
}

/** For networks that are a chain of blocks (`Network.chain`). */
export function incrementalGraph(network: Network, chain: BlockChain, parameters: Parameters): Stepper {
  const graph = new GraphBuilder(network.parameters, parameters);
  const states: State[] = [];
  const [first, ...upper] = chain.blocks;
  if (!first) throw new Error("A chain has at least its head.");
  const width = first.fold;
  const tokens = graph.input({
    name: "tokens",
    type: "int32",
    dimensions: ["batch", width],
    description: `Ids of the last ${width} characters, the newest last, 0 where there are none yet.`,
  });

  // The partial products of the first level are a table with a row per character: embedding times weight.
  const level = splitBlock(graph, first);
  const embedding = graph.initializer(chain.embedding.weight);
  const rows = level.slices.map((_, j) => partialProduct(graph, level, embedding, j));
  const table = upper.length > 0 && chain.vocabularySize ** width <= MAX_TABLE;
  let below = table
    ? allNodes(graph, chain, first, rows)
    : pickedNodes(graph, first, rows, tokens, upper.length === 0);
  let row = table ? rowOf(graph, chain, first, tokens) : undefined;

  let dilation = first.fold;
  for (const block of upper) {
    const level = splitBlock(graph, block);
    const { name, fanOut: channels } = block;
    const terms = level.slices.map((_, j) => {
      const delay = (block.fold - 1 - j) * dilation;
      const output = delay > 0 ? `${name}.later${delay}` : undefined;
      const now = row
        ? graph.node(
            "Gather",
            [partialProduct(graph, level, below, j), row],
            { axis: { int: 0 } },
            name,
            output,
          )
        : partialProduct(graph, level, below, j, output);
      if (output === undefined) return now;
      const dimensions = ["batch", channels];
      const input = graph.input({
        name: `${name}.earlier${delay}`,
        type: "float",
        dimensions,
        description: `The ${output} of ${delay} characters earlier.`,
      });
      graph.output({
        name: output,
        type: "float",
        dimensions,
        description: `What this character adds to ${name} ${delay} characters later.`,
      });
      states.push({ input, output, delay, channels });
      return input;
    });
    below = sumProducts(graph, block, terms, block === upper.at(-1) ? "logits" : undefined);
    row = undefined;
    dilation *= block.fold;
  }
  graph.output({
    name: "logits",
    type: "float",
    dimensions: ["batch", chain.vocabularySize],
    description: "Of the next character; id 0 is the end of the word.",
  });
  return { graph, tokens, width, states, logits: "logits" };
}

/** The first level's nodes for the last characters: [batch, channels]. */
function pickedNodes(
  graph: GraphBuilder,
  block: Block,
  terms: readonly string[],
  tokens: string,
  last: boolean,
): string {
  const picked = terms.map((rows, j) => {
    const token = graph.node(
      "Gather",
      [tokens, graph.constant("int64", [j], [], block.name)],
      { axis: { int: 1 } },
      block.name,
    );
    return graph.node("Gather", [rows, token], { axis: { int: 0 } }, block.name);
  });
  return sumProducts(graph, block, picked, last ? "logits" : undefined);
}

/** The first level's nodes for all combinations of characters: [vocabulary ** fold, channels]. */
function allNodes(graph: GraphBuilder, chain: BlockChain, block: Block, terms: readonly string[]): string {
  const { vocabularySize } = chain;
  // Give each neighbour its own axis, so that broadcasting adds every combination.
  const axes = terms.map((rows, j) => {
    const shape = terms.map((_, axis) => (axis === j ? vocabularySize : 1));
    return graph.node(
      "Reshape",
      [rows, graph.integers([...shape, block.fanOut], block.name)],
      {},
      block.name,
    );
  });
  const nodes = sumProducts(graph, block, axes);
  return graph.node("Reshape", [nodes, graph.integers([-1, block.fanOut], block.name)], {}, block.name);
}

/** The row of that table for the last characters: [batch]. */
function rowOf(graph: GraphBuilder, chain: BlockChain, block: Block, tokens: string): string {
  const places = Array.from({ length: block.fold }, (_, j) => chain.vocabularySize ** (block.fold - 1 - j));
  return graph.node(
    "MatMul",
    [tokens, graph.constant("int32", places, [block.fold], block.name)],
    {},
    block.name,
  );
}

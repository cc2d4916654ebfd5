/**
 * One character at a time, as fast WaveNet generation does it (Le Paine et al., 2016). A new
 * character makes one new node a level; the neighbours that the node is joined with are older, so
 * each level remembers them. What is remembered is a neighbour's term of the sum (`partialProducts.ts`), which
 * is all that will be needed of it:
 *
 *     linear3.later4    what this character's node below adds to linear3 four characters later
 *     linear3.earlier4  the `linear3.later4` of four characters earlier
 *
 * The first level needs no state: its neighbours are characters, and the last few are the input.
 * For a small vocabulary it is a table of all that they can be.
 */
import type { Block, BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";
import { partialProduct, splitBlock, sumProducts } from "./partialProducts";

/** Rows that the table of the first level may have: 64 characters folded by two, 16 by three. */
const MAX_TABLE = 4096;

/** A number of channels that a level remembers for some characters. */
export interface State {
  readonly input: string;
  readonly output: string;
  /** In characters: the input is the output of so many characters ago. */
  readonly delay: number;
  readonly channels: number;
  /**
   * True if it is of all tokens of the word and not of one: [batch, past, channels] in, and one token more out.
   * Absent if it is [batch, channels].
   */
  readonly grows?: true;
}

/** A graph that is run once a character. */
export interface Stepper {
  readonly graph: GraphBuilder;
  /** Its int32 input [batch, width]: the last characters, the newest last. */
  readonly tokens: string;
  readonly width: number;
  readonly states: readonly State[];
  /** Its float output [batch, vocabulary]: logits, or log probabilities, which are logits, too. */
  readonly logits: "logits" | "logProbabilities";
  /** Its int32 input [batch]: how many tokens of the word came before; absent if the graph does not ask. */
  readonly position?: string;
  /** Absent if the graph asks for no ancestors. */
  readonly ancestry?: Ancestry;
}

/** What a graph takes of all tokens of a word, and not only of those some delays ago. */
export interface Ancestry {
  /** Float inputs [ancestors, channels]: what the outputs [batch, channels] were for tokens of earlier runs. */
  readonly memories: readonly {
    readonly input: string;
    readonly output: string;
    readonly channels: number;
  }[];
  /**
   * Int32 input [batch, time]: each word's tokens, oldest first, this one last, as rows of this batch and then of
   * the memories. Shorter words are filled up in front with any row.
   */
  readonly rows: string;
  /** Float input [batch, 1, time]: 0 for the tokens of a row's own word, -Infinity for what fills it up. */
  readonly mask: string;
  /** Most tokens before one. */
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

  // The level's terms are rows of a table already: embedding times weight.
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

/** The first level's nodes for the characters that came: [batch, channels]. */
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

/** The first level's nodes for all that may come: [vocabulary ** fold, channels]. */
function allNodes(graph: GraphBuilder, chain: BlockChain, block: Block, terms: readonly string[]): string {
  const { vocabularySize } = chain;
  // Each neighbour on an axis of its own: adding makes every combination.
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

/** The row of that table for the characters that came: [batch]. */
function rowOf(graph: GraphBuilder, chain: BlockChain, block: Block, tokens: string): string {
  const places = Array.from({ length: block.fold }, (_, j) => chain.vocabularySize ** (block.fold - 1 - j));
  return graph.node(
    "MatMul",
    [tokens, graph.constant("int32", places, [block.fold], block.name)],
    {},
    block.name,
  );
}

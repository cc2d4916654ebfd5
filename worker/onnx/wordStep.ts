/**
 * One token of a word at a time, for networks that read words. Each layer writes its own nodes; this file gives them
 * what they remember, in one of two ways:
 *
 *     incremental form   keys.past [batch, past, channels] in, keys.present [batch, past + 1, channels] out
 *     prefix tree        the rows of all ancestors of a batch in, once each, and who descends from whom
 *
 * Sampling and scoring run the second (worker/sampling/prefixes.ts). Words share their beginnings, so most rows of a
 * batch descend from the same few ancestors, which are copied once instead of once per row.
 *
 * Position 0 begins a word: what is remembered then does not count.
 */
import { type Parameters, type StepWriter, stepOf } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";
import type { Ancestry, State, Stepper } from "./incremental";
import { DataType } from "./schema";

const TOKENS = "tokens";
const POSITION = "position";
/** Group of nodes that belong to no layer. */
const GROUP = "word";

/** The incremental form. */
export function incrementalWordGraph(network: Network, parameters: Parameters): Stepper {
  const graph = new IncrementalGraph(network.parameters, parameters);
  return writeStep(graph, network, "logits");
}

/** What sampling and scoring run. It gives log probabilities, which are logits, too. */
export function prefixTreeGraph(network: Network, parameters: Parameters): Stepper {
  const graph = new PrefixTreeGraph(network.parameters, parameters);
  const stepper = writeStep(graph, network, "logProbabilities");
  const ancestry = graph.ancestry(network.contextLength - 1);
  return ancestry ? { ...stepper, ancestry } : stepper;
}

function writeStep(
  graph: StepGraph,
  { layers, vocabularySize }: Network,
  output: "logits" | "logProbabilities",
): Stepper {
  const tokens = graph.input({
    name: TOKENS,
    type: "int32",
    dimensions: ["batch", 1],
    description: "Id of the next token of each word; 0, at position 0, begins it.",
  });
  const token = graph.node("Squeeze", [tokens, graph.integers([1], GROUP)], {}, GROUP);
  const last = layers.reduce((value, layer) => stepOf(layer, graph, value), token);
  if (output === "logits") graph.node("Identity", [last], {}, output, output);
  else graph.node("LogSoftmax", [last], { axis: { int: -1 } }, output, output);
  graph.output({
    name: output,
    type: "float",
    dimensions: ["batch", vocabularySize],
    description: "Of the next character; id 0 is the end of the word.",
  });
  return {
    graph,
    tokens,
    width: 1,
    states: graph.states,
    logits: output,
    ...(graph.usesPosition ? { position: POSITION } : {}),
  };
}

abstract class StepGraph extends GraphBuilder implements StepWriter {
  readonly states: State[] = [];
  usesPosition = false;
  #mask: string | undefined;

  abstract history(name: string, value: string, channels: number, heads: number): string;
  /** int64 [1]: the places that `history` gives. */
  protected abstract time(): string;

  position(): string {
    if (!this.usesPosition)
      this.input({
        name: POSITION,
        type: "int32",
        dimensions: ["batch"],
        description: "How many tokens of each word came before: 0 for the 0 that begins it.",
      });
    this.usesPosition = true;
    return POSITION;
  }

  recall(name: string, channels: number, initial?: string): string {
    const dimensions = ["batch", channels];
    const input = this.state(name, channels, dimensions, dimensions);
    const position = this.node("Unsqueeze", [this.position(), this.integers([1], name)], {}, name);
    const isFirst = this.node("Equal", [position, this.constant("int32", [0], [], name)], {}, name);
    return this.node("Where", [isFirst, initial ?? this.constant("float", [0], [], name), input], {}, name);
  }

  remember(name: string, value: string): void {
    this.node("Identity", [value], {}, name, `${name}.present`);
  }

  mask(): string {
    this.#mask ??= this.#makeMask();
    return this.#mask;
  }

  #makeMask(): string {
    const node = (operator: string, ...inputs: string[]) => this.node(operator, inputs, {}, GROUP);
    const one = this.constant("int64", [1], [], GROUP);
    const axis = this.integers([1], GROUP);
    // Each place, counted back from this token, 0; those from -position on are the word's own.
    const back = node("Range", node("Sub", one, node("Squeeze", this.time())), one, one);
    const position = this.node("Cast", [this.position()], { to: { int: DataType.int64 } }, GROUP);
    const ordinal = node("Add", back, node("Unsqueeze", position, axis));
    const bias = node(
      "Where",
      node("Less", ordinal, this.constant("int64", [0], [], GROUP)),
      this.constant("float", [Number.NEGATIVE_INFINITY], [], GROUP),
      this.constant("float", [0], [], GROUP),
    );
    return node("Unsqueeze", bias, this.integers([1, 2], GROUP));
  }

  /** Declares an input `past` and an output `present`; the caller makes the node of the output. */
  protected state(
    name: string,
    channels: number,
    past: readonly (number | string)[],
    present: readonly (number | string)[],
  ): string {
    const output = `${name}.present`;
    const input = this.input({
      name: `${name}.past`,
      type: "float",
      dimensions: past,
      description: `The ${output} of the token before.`,
    });
    this.output({
      name: output,
      type: "float",
      dimensions: present,
      description: `The ${input} of the next token.`,
    });
    this.states.push({ input, output, delay: 1, channels, ...(past.length > 2 ? { grows: true } : {}) });
    return input;
  }
}

class IncrementalGraph extends StepGraph {
  #time: string | undefined;

  history(name: string, value: string, channels: number, heads: number): string {
    const past = this.state(name, channels, ["batch", "past", channels], ["batch", "past + 1", channels]);
    const row = this.node("Unsqueeze", [value, this.integers([1], name)], {}, name);
    const all = this.node("Concat", [past, row], { axis: { int: 1 } }, name, `${name}.present`);
    this.#time ??= this.node("Shape", [all], { start: { int: 1 }, end: { int: 2 } }, GROUP);
    const shape = this.integers([0, 0, heads, channels / heads], name);
    const split = this.node("Reshape", [all, shape], {}, name);
    return this.node("Transpose", [split], { perm: { ints: [0, 2, 1, 3] } }, name);
  }

  protected time(): string {
    if (this.#time === undefined) throw new Error("There is no history to mask.");
    return this.#time;
  }
}

class PrefixTreeGraph extends StepGraph {
  static readonly #memory = "memory";
  static readonly #rows = "rows";
  /** What is kept of a token, and its place in the channels of `memory`. */
  readonly #kept: string[] = [];
  #channels = 0;
  /** By number of heads: the rows of each head, [batch, heads, time]. */
  readonly #headRows = new Map<number, string>();

  history(name: string, value: string, channels: number, heads: number): string {
    const from = this.#channels;
    this.#channels += channels;
    this.#kept.push(value);
    const past = this.node(
      "Slice",
      [
        PrefixTreeGraph.#memory,
        this.integers([from], name),
        this.integers([this.#channels], name),
        this.integers([1], name),
      ],
      {},
      name,
    );
    const all = this.node("Concat", [value, past], { axis: { int: 0 } }, name);
    // One row per head, so that what is gathered needs no transposing.
    const split = this.node("Reshape", [all, this.integers([-1, channels / heads], name)], {}, name);
    return this.node("Gather", [split, this.#rowsOf(heads)], { axis: { int: 0 } }, name);
  }

  /** Declares what the layers' histories take and leave; undefined if they have none. */
  ancestry(longest: number): Ancestry | undefined {
    const channels = this.#channels;
    if (channels === 0) return undefined;
    const output = "kept";
    this.node("Concat", this.#kept, { axis: { int: 1 } }, GROUP, output);
    this.output({
      name: output,
      type: "float",
      dimensions: ["batch", channels],
      description: "The row of each token in the memory of later ones.",
    });
    return {
      memory: this.input({
        name: PrefixTreeGraph.#memory,
        type: "float",
        dimensions: ["ancestors", channels],
        description: "What was kept of each ancestor.",
      }),
      rows: this.input({
        name: PrefixTreeGraph.#rows,
        type: "int32",
        dimensions: ["batch", "time"],
        description: "Each word's tokens, oldest first, as rows of this batch and then of the memory.",
      }),
      output,
      channels,
      longest,
    };
  }

  protected time(): string {
    return this.node("Shape", [PrefixTreeGraph.#rows], { start: { int: 1 }, end: { int: 2 } }, GROUP);
  }

  #rowsOf(heads: number): string {
    const known = this.#headRows.get(heads);
    if (known !== undefined) return known;
    const first = this.node(
      "Mul",
      [
        this.node("Unsqueeze", [PrefixTreeGraph.#rows, this.integers([1], GROUP)], {}, GROUP),
        this.constant("int32", [heads], [], GROUP),
      ],
      {},
      GROUP,
    );
    const each = this.constant(
      "int32",
      Array.from({ length: heads }, (_, head) => head),
      [heads, 1],
      GROUP,
    );
    const rows = this.node("Add", [first, each], {}, GROUP);
    this.#headRows.set(heads, rows);
    return rows;
  }
}

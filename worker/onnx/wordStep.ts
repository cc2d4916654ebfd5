/**
 * One token of a word at a time, for networks that read words. Each layer writes its own nodes; a graph provides their
 * state from earlier tokens, in one of two ways:
 *
 *     incremental form   each row has its history: input keys.past [batch, past, channels], and output keys.present
 *                        [batch, past + 1, channels]
 *     prefix tree        the histories share memory: see prefixTree.ts
 *
 * Position 0 begins a word: earlier state is then ignored.
 */
import { attentionNodes, type Heads } from "../model/attentionNodes";
import { type Parameters, type StepWriter, stepOf } from "../model/layer";
import type { Network } from "../model/network";
import { GraphBuilder } from "./graph";
import type { State, Stepper } from "./incremental";
import { DataType } from "./schema";

const TOKENS = "tokens";
const POSITION = "position";
/** Name for the nodes that belong to no layer. */
export const GROUP = "word";

/** The incremental form, for export. */
export function incrementalWordGraph(network: Network, parameters: Parameters): Stepper {
  const graph = new IncrementalGraph(network.parameters, parameters);
  return writeStep(graph, network, "logits");
}

/** Writes the layers, the inputs and the outputs of one token. */
export function writeStep(
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
  const last = layers.reduce((value, layer) => stepOf(layer, graph, value), graph.begin(token));
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

/** The nodes of one token; its subclasses provide the state from earlier tokens. */
export abstract class StepGraph extends GraphBuilder implements StepWriter {
  readonly states: State[] = [];
  usesPosition = false;

  abstract attend(name: string, token: Heads, channels: number, heads: number): string;

  /** Returns the first layer's input. @param token int32 [batch] */
  begin(token: string): string {
    return token;
  }

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

  /** Declares an input `past` and an output `present`. The caller must write the node of the output. */
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
  #mask: string | undefined;

  attend(name: string, { q, k, values }: Heads, channels: number, heads: number): string {
    const size = channels / heads;
    const turned = {
      q: this.node("Reshape", [q, this.integers([0, heads, 1, size], name)], {}, name),
      k: this.#history(`${name}.keys`, k, channels, heads),
      values: this.#history(`${name}.values`, values, channels, heads),
    };
    this.#mask ??= this.#makeMask(turned.k);
    const found = attentionNodes(this, name, turned, size, this.#mask);
    return this.node("Reshape", [found, this.integers([0, channels], name)], {}, name);
  }

  /** Appends a value to those of all earlier tokens, oldest first: [batch, heads, time, channels / heads]. */
  #history(name: string, value: string, channels: number, heads: number): string {
    const past = this.state(name, channels, ["batch", "past", channels], ["batch", "past + 1", channels]);
    const row = this.node("Unsqueeze", [value, this.integers([1], name)], {}, name);
    const all = this.node("Concat", [past, row], { axis: { int: 1 } }, name, `${name}.present`);
    const shape = this.integers([0, 0, heads, channels / heads], name);
    const split = this.node("Reshape", [all, shape], {}, name);
    return this.node("Transpose", [split], { perm: { ints: [0, 2, 1, 3] } }, name);
  }

  /** float [batch, 1, 1, time]: 0 for the tokens of the row's own word, -Infinity for older ones. */
  #makeMask(history: string): string {
    const node = (operator: string, ...inputs: string[]) => this.node(operator, inputs, {}, GROUP);
    const one = this.constant("int64", [1], [], GROUP);
    const axis = this.integers([1], GROUP);
    const time = this.node("Shape", [history], { start: { int: 2 }, end: { int: 3 } }, GROUP);
    // Number the tokens back from this one, which is 0; those from -position on belong to the row's word.
    const back = node("Range", node("Sub", one, node("Squeeze", time)), one, one);
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
}

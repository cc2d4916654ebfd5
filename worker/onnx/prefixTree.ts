/**
 * One token at a time of many words that share their beginnings, for sampling and scoring (worker/sampling/prefixes.ts).
 * The histories share memory: inputs are the kept values of each distinct ancestor token, and the list of each row's
 * ancestors. Most rows of a batch have the same few ancestors, and each is copied once instead of once per row.
 */
import type { Heads } from "../model/attentionNodes";
import type { Attribute, Parameters } from "../model/layer";
import type { Network } from "../model/network";
import type { Value } from "./graph";
import type { Ancestry, Stepper } from "./incremental";
import { GROUP, StepGraph, writeStep } from "./wordStep";

/** Inputs: the rows of each token and its ancestors, and a mask for the padding. */
const ROWS = "rows";
const MASK = "mask";
/** Most numbers of a table of embeddings: computing it must not take longer than it saves. */
const MOST_NUMBERS = 1 << 16;

/** The prefix tree, for sampling and scoring. Its output is log probabilities, which are valid logits, too. */
export function prefixTreeGraph(network: Network, parameters: Parameters): Stepper {
  const graph = new PrefixTreeGraph(network, parameters);
  const stepper = writeStep(graph, network, "logProbabilities");
  const ancestry = graph.ancestry(network.contextLength - 1);
  return ancestry ? { ...stepper, ancestry } : stepper;
}

class PrefixTreeGraph extends StepGraph {
  readonly #memories: { input: string; output: string; channels: number }[] = [];
  /** By number of heads. */
  readonly #masks = new Map<number, string>();
  #halves: { readonly keys: string; readonly values: string } | undefined;
  readonly #network: Network;
  /** Row of the table for each row of the batch, int32 [batch]; undefined without a table. */
  #pair: string | undefined;
  /** The position of each row of the table. */
  #positions: string | undefined;
  /** Values with a row per row of the table, not of the batch. */
  readonly #tabled = new Set<string>();
  /** Those that were looked up for the rows of the batch. */
  readonly #lookedUp = new Map<string, string>();
  /** The inputs, and all values that depend on more than the table. */
  readonly #ofBatch = new Set<string>();

  constructor(network: Network, parameters: Parameters) {
    super(network.parameters, parameters);
    this.#network = network;
  }

  /**
   * Until a layer looks at earlier tokens, a value depends only on its own token and position. If there are few such
   * pairs, these values become a table with a row per pair. ONNX Runtime computes it once, when it opens the graph.
   */
  override begin(token: string): string {
    const { vocabularySize, contextLength, layers } = this.#network;
    const channels = layers[0]?.outputShape.at(-1) ?? 0;
    if (!(vocabularySize * contextLength * channels <= MOST_NUMBERS)) return token;
    const pairs = Array.from({ length: vocabularySize * contextLength }, (_, i) => i);
    const position = super.position();
    const width = this.constant("int32", [contextLength], [], GROUP);
    const start = this.node("Mul", [token, width], {}, GROUP);
    this.#pair = this.node("Add", [start, position], {}, GROUP);
    const column = (of: (pair: number) => number) => {
      const value = this.constant("int32", pairs.map(of), [pairs.length], GROUP);
      this.#tabled.add(value);
      return value;
    };
    this.#positions = column((pair) => pair % contextLength);
    return column((pair) => Math.floor(pair / contextLength));
  }

  override position(): string {
    return this.#positions ?? super.position();
  }

  override input(value: Value): string {
    const name = super.input(value);
    this.#ofBatch.add(name);
    return name;
  }

  /**
   * Outputs of the graph always have the rows of the batch. So has CastLike, because ONNX Runtime cannot compute it
   * beforehand, and warns of it.
   */
  override node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    group: string,
    output?: string,
  ): string {
    const isOfBatch =
      output !== undefined || operator === "CastLike" || inputs.some((input) => this.#ofBatch.has(input));
    const read = isOfBatch ? inputs.map((input) => this.#lookUp(input)) : inputs;
    const value = super.node(operator, read, attributes, group, output);
    if (isOfBatch) this.#ofBatch.add(value);
    else if (inputs.some((input) => this.#tabled.has(input))) this.#tabled.add(value);
    return value;
  }

  /** Returns the value with the rows of the batch. */
  #lookUp(value: string): string {
    if (!this.#tabled.has(value) || this.#pair === undefined) return value;
    let found = this.#lookedUp.get(value);
    if (found === undefined) {
      found = super.node("Gather", [value, this.#pair], { axis: { int: 0 } }, GROUP);
      this.#ofBatch.add(found);
      this.#lookedUp.set(value, found);
    }
    return found;
  }

  /**
   * Computes all heads in one product. Each head's query has 0 in the channels of other heads, and only the head's own
   * channels of its result are used. So the keys of a token are gathered as one row, not as one row per head.
   */
  attend(name: string, { q, k, values }: Heads, channels: number, heads: number): string {
    const node = (operator: string, ...inputs: string[]) => this.node(operator, inputs, {}, name);
    const axis = this.integers([1], name);
    // [heads, channels]: the scale of the scores in the head's own channels, 0 elsewhere.
    const scaled = this.constant(
      "float",
      Array.from({ length: heads * channels }, (_, i) =>
        Math.floor(((i % channels) * heads) / channels) === Math.floor(i / channels)
          ? Math.sqrt(heads / channels)
          : 0,
      ),
      [heads, channels],
      name,
    );
    const queries = node("Mul", node("Unsqueeze", q, axis), scaled);
    const [keys, history] = this.#history(name, k, values, channels);
    const turned = this.node("Transpose", [keys], { perm: { ints: [0, 2, 1] } }, name);
    const scores = node("Add", node("MatMul", queries, turned), this.#maskOf(heads));
    const shares = this.node("Softmax", [scores], { axis: { int: -1 } }, name);
    const found = node("MatMul", shares, history);
    // Each head's own channels: blocks 0, heads + 1, 2 (heads + 1) and so on of heads * heads.
    const blocks = node("Reshape", found, this.integers([0, heads * heads, channels / heads], name));
    const own = this.integers(
      Array.from({ length: heads }, (_, head) => head * (heads + 1)),
      name,
    );
    const gathered = this.node("Gather", [blocks, own], { axis: { int: 1 } }, name);
    return node("Reshape", gathered, this.integers([0, channels], name));
  }

  /** The mask of all heads, float [batch, heads, time]: adding it unexpanded is slow, because its rows are short. */
  #maskOf(heads: number): string {
    let mask = this.#masks.get(heads);
    if (mask === undefined) {
      mask = this.node("Concat", Array(heads).fill(MASK), { axis: { int: 1 } }, GROUP);
      this.#masks.set(heads, mask);
    }
    return mask;
  }

  /** Declares the inputs for ancestors; undefined if no layer attends to them. */
  ancestry(longest: number): Ancestry | undefined {
    if (this.#memories.length === 0) return undefined;
    this.input({
      name: ROWS,
      type: "int32",
      dimensions: ["batch", "time"],
      description: "Each word's tokens, oldest first, as rows of this batch and then of the memories.",
    });
    this.input({
      name: MASK,
      type: "float",
      dimensions: ["batch", 1, "time"],
      description: "0 for the tokens of a row's own word, -Infinity for what fills it up.",
    });
    return { memories: this.#memories, rows: ROWS, mask: MASK, longest };
  }

  /**
   * Gathers the keys and the values of each token and its ancestors, oldest first: [batch, time, channels] each. They
   * are kept in one row, because each input and output of a run costs time.
   */
  #history(name: string, k: string, values: string, channels: number): [keys: string, values: string] {
    const kept = this.node("Concat", [k, values], { axis: { int: 1 } }, name, `${name}.kept`);
    this.output({
      name: kept,
      type: "float",
      dimensions: ["batch", 2 * channels],
      description: "The key and the value that later tokens attend to.",
    });
    const input = this.input({
      name: `${name}.memory`,
      type: "float",
      dimensions: ["ancestors", 2 * channels],
      description: `The ${kept} of each ancestor.`,
    });
    this.#memories.push({ input, output: kept, channels: 2 * channels });
    const all = this.node("Concat", [kept, input], { axis: { int: 0 } }, name);
    const halves = this.node("Reshape", [all, this.integers([-1, channels], name)], {}, name);
    const gather = (rows: string) => this.node("Gather", [halves, rows], { axis: { int: 0 } }, name);
    this.#halves ??= this.#makeHalves();
    return [gather(this.#halves.keys), gather(this.#halves.values)];
  }

  /** The rows of keys and values, if each row of `ROWS` is the two. */
  #makeHalves(): { readonly keys: string; readonly values: string } {
    const number = (value: number) => this.constant("int32", [value], [], GROUP);
    const keys = this.node("Mul", [ROWS, number(2)], {}, GROUP);
    return { keys, values: this.node("Add", [keys, number(1)], {}, GROUP) };
  }
}

/** The ONNX nodes of the recurrent layers: ONNX's own operator for whole words, basic operators for a single token. */
import type { NodeWriter, StepWriter } from "./layer";

/** How to write a cell in ONNX. */
export interface CellNodes {
  /** ONNX's operator over all positions. */
  readonly operator: "RNN" | "GRU" | "LSTM";
  /** Number of gates, of `hidden` channels each. */
  readonly gates: number;
  /**
   * Concatenates all gates in the operator's order.
   *
   * @param part returns the weight (or the bias) with a name
   * @param axis the axis to concatenate: 1 for weights, 0 for biases
   */
  arrange(write: Write, part: (weight: string) => string, axis: number): string;
  /**
   * Computes the cell's h after a token. A cell with more state than h recalls and remembers it itself.
   *
   * @param gate computes [x, h] @ weight + bias for the named weight and the token's x
   */
  step(write: Write, h: string, gate: (weight: string, h: string) => string, graph: StepWriter): string;
}

/** Names and sizes of a recurrent layer. */
export interface RecurrentNames {
  readonly name: string;
  readonly channels: number;
  readonly hidden: number;
  readonly start: string;
  weight(key: string): string;
  bias(key: string): string;
}

/** Helpers that write the nodes of one layer. */
export interface Write {
  readonly hidden: number;
  node(operator: string, ...inputs: string[]): string;
  concat(axis: number, ...parts: string[]): string;
  /** Slices an axis: channels i * hidden to (i + 1) * hidden. */
  part(value: string, i: number, axis: number): string;
}

/** Writes the layer for whole words: [batch, time, channels] to [batch, time, hidden]. */
export function sequenceNodes(
  graph: NodeWriter,
  input: string,
  layer: RecurrentNames,
  cell: CellNodes,
): string {
  const { name, channels, hidden, start } = layer;
  const write = writer(graph, name, hidden);
  const swap = (value: string) => graph.node("Transpose", [value], { perm: { ints: [1, 0, 2] } }, name);
  const first = graph.integers([0], name);
  const weights = cell.arrange(write, (key) => graph.initializer(layer.weight(key)), 1);
  const biases = cell.arrange(write, (key) => graph.initializer(layer.bias(key)), 0);
  // The operator takes the rows for x and those for h separately, each as [1, gates, rows].
  const rows = (from: number, to: number) => {
    const slice = write.node(
      "Slice",
      weights,
      graph.integers([from], name),
      graph.integers([to], name),
      first,
    );
    return write.node("Unsqueeze", graph.node("Transpose", [slice], {}, name), first);
  };
  const gates = cell.gates * hidden;
  // The operator adds one bias for x and one for h; ours is the first.
  const none = graph.constant("float", new Array(gates).fill(0), [gates], name);
  const batch = graph.node("Shape", [input], { start: { int: 0 }, end: { int: 1 } }, name);
  const shape = write.concat(0, graph.integers([1], name), batch, graph.integers([hidden], name));
  const y = graph.node(
    cell.operator,
    [
      swap(input),
      rows(0, channels),
      rows(channels, channels + hidden),
      write.node("Unsqueeze", write.concat(0, biases, none), first),
      "",
      write.node("Expand", graph.initializer(start), shape),
    ],
    { hidden_size: { int: hidden } },
    name,
  );
  // The output is [time, directions, batch, hidden], with one direction.
  return swap(write.node("Squeeze", y, graph.integers([1], name)));
}

/** Writes the layer for one token: [batch, channels] to [batch, hidden]. */
export function stepNodes(graph: StepWriter, input: string, layer: RecurrentNames, cell: CellNodes): string {
  const { name, hidden, start } = layer;
  const write = writer(graph, name, hidden);
  const gate = (key: string, h: string) => {
    const product = write.node("MatMul", write.concat(1, input, h), graph.initializer(layer.weight(key)));
    return write.node("Add", product, graph.initializer(layer.bias(key)));
  };
  const h = cell.step(write, graph.recall(`${name}.h`, hidden, graph.initializer(start)), gate, graph);
  graph.remember(`${name}.h`, h);
  return h;
}

function writer(graph: NodeWriter, name: string, hidden: number): Write {
  const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
  return {
    hidden,
    node,
    concat: (axis, ...parts) => graph.node("Concat", parts, { axis: { int: axis } }, name),
    part: (value, i, axis) =>
      node(
        "Slice",
        value,
        graph.integers([i * hidden], name),
        graph.integers([(i + 1) * hidden], name),
        graph.integers([axis], name),
      ),
  };
}

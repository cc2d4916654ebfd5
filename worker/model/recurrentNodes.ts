/** The ONNX nodes of the recurrent layers: ONNX's own operator for whole words, plain operators for one token. */
import type { NodeWriter, StepWriter } from "./layer";

/** How a cell is written in ONNX. */
export interface CellNodes {
  /** ONNX's operator over all positions, and how many times `hidden` channels its gates make. */
  readonly operator: "RNN" | "GRU" | "LSTM";
  readonly gates: number;
  /**
   * All gates side by side, in the operator's order.
   *
   * @param part the weight, or the bias, of a weight's name
   * @param axis where the gates stand side by side: 1 for weights, 0 for biases
   */
  arrange(write: Write, part: (weight: string) => string, axis: number): string;
  /**
   * The cell's h after a token; what it carries besides h, it recalls and remembers itself.
   *
   * @param gate [x, h] @ weight + bias, of the weight with this name, for the token's x
   */
  step(write: Write, h: string, gate: (weight: string, h: string) => string, graph: StepWriter): string;
}

/** A recurrent layer, by what its nodes need. */
export interface RecurrentNames {
  readonly name: string;
  readonly channels: number;
  readonly hidden: number;
  readonly start: string;
  weight(key: string): string;
  bias(key: string): string;
}

/** Writes nodes of one layer. */
export interface Write {
  readonly hidden: number;
  node(operator: string, ...inputs: string[]): string;
  concat(axis: number, ...parts: string[]): string;
  /** The `i`th `hidden` channels of an axis. */
  part(value: string, i: number, axis: number): string;
}

/** All positions of words at once: [batch, time, channels] to [batch, time, hidden]. */
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
  // The operator takes the rows of x and of h apart, each as [1, gates, rows].
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
  // It has biases for x and for h.
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
  // [time, directions, batch, hidden], of which there is one direction.
  return swap(write.node("Squeeze", y, graph.integers([1], name)));
}

/** One token: [batch, channels] to [batch, hidden]. */
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

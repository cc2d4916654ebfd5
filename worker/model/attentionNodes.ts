/** The ONNX nodes of attention that several forms share. */
import type { NodeWriter } from "./layer";

/** Queries, keys and values, [batch, heads, time, size] each unless said otherwise. */
export interface Heads {
  readonly q: string;
  readonly k: string;
  readonly values: string;
}

/** Writes softmax(q @ k.T / sqrt(size) + mask) @ values. */
export function attentionNodes(
  graph: NodeWriter,
  name: string,
  { q, k, values }: Heads,
  size: number,
  mask: string,
): string {
  const node = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, name);
  const turned = graph.node("Transpose", [k], { perm: { ints: [0, 1, 3, 2] } }, name);
  const scale = graph.constant("float", [1 / Math.sqrt(size)], [], name);
  const scores = node("Add", node("Mul", node("MatMul", q, turned), scale), mask);
  return node("MatMul", graph.node("Softmax", [scores], { axis: { int: -1 } }, name), values);
}

/**
 * A level of the tree, split into one partial product per neighbour. Joining n neighbours and multiplying them by the
 * weight is the same as multiplying each neighbour by its own rows of the weight and adding up:
 *
 *     [a b] @ W  =  a @ W[first half]  +  b @ W[second half]
 *
 * So the partial product of a node is computed once, even if the node is a neighbour of many nodes. BatchNorm1d in
 * evaluation mode is a scale and a shift per channel: the scale is folded into the weight, the shift into the last
 * neighbour's product. ONNX Runtime computes this folding once, when it loads the graph.
 */
import type { Block } from "../model/blocks";
import type { GraphBuilder } from "./graph";

/** A block with its weight split by neighbour. */
export interface SplitBlock {
  readonly block: Block;
  /** For each neighbour, its rows of the weight: [channels below, fanOut]. */
  readonly slices: readonly string[];
  /** The bias and the norm's shift, [fanOut]; undefined if the block has neither. */
  readonly shift: string | undefined;
}

/** Splits a block's weight by neighbour, with its norm folded in. */
export function splitBlock(graph: GraphBuilder, block: Block): SplitBlock {
  const { name, fold, fanIn, norm } = block;
  const channels = fanIn / fold;
  const weight = graph.initializer(block.weight);
  const bias = block.bias === undefined ? undefined : graph.initializer(block.bias);
  const slices = Array.from({ length: fold }, (_, j) =>
    fold === 1
      ? weight
      : graph.node(
          "Slice",
          [weight, graph.integers([j * channels], name), graph.integers([(j + 1) * channels], name)],
          {},
          name,
        ),
  );
  if (!norm) return { block, slices, shift: bias };

  const group = norm.gamma.slice(0, norm.gamma.lastIndexOf("."));
  const operate = (operator: string, ...inputs: string[]) => graph.node(operator, inputs, {}, group);
  const deviation = operate(
    "Sqrt",
    operate(
      "Add",
      graph.initializer(norm.runningVariance),
      graph.constant("float", [norm.epsilon], [], group),
    ),
  );
  const scale = operate("Div", graph.initializer(norm.gamma), deviation);
  const mean = graph.initializer(norm.runningMean);
  const centre = bias === undefined ? operate("Neg", mean) : operate("Sub", bias, mean);
  return {
    block,
    slices: slices.map((slice) => operate("Mul", slice, scale)),
    shift: operate("Add", operate("Mul", centre, scale), graph.initializer(norm.beta)),
  };
}

/** Multiplies nodes, the rows of `below`, by the rows of the weight for neighbour `j`. */
export function partialProduct(
  graph: GraphBuilder,
  level: SplitBlock,
  below: string,
  j: number,
  output?: string,
): string {
  const { block, slices, shift } = level;
  const slice = slices[j] ?? "";
  return j === block.fold - 1 && shift !== undefined
    ? graph.node("Gemm", [below, slice, shift], {}, block.name, output)
    : graph.node("MatMul", [below, slice], {}, block.name, output);
}

/** Adds up partial products and applies the block's tanh. */
export function sumProducts(
  graph: GraphBuilder,
  block: Block,
  terms: readonly string[],
  output?: string,
): string {
  const [first = "", ...rest] = terms;
  const last = rest.length - 1;
  const total = rest.reduce(
    (a, b, i) => graph.node("Add", [a, b], {}, block.name, i === last && !block.tanh ? output : undefined),
    first,
  );
  if (block.tanh) return graph.node("Tanh", [total], {}, block.name, output);
  return output !== undefined && rest.length === 0
    ? graph.node("Identity", [total], {}, block.name, output)
    : total;
}

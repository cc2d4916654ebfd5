/** What RNN, GRU and LSTM have in common: a cell that reads a word position by position. */
import type * as tf from "@tensorflow/tfjs";
import { channelsOf, type Layer, type Parameter, type Placement } from "./layer";
import { type CellNodes, type RecurrentNames, sequenceNodes, stepNodes } from "./recurrentNodes";

/** What a cell carries from one position to the next, [batch, hidden] each. */
export interface CellState {
  /** The output. Its initial value is the learned `start`. */
  readonly h: tf.Tensor;
  /** The LSTM's memory, initially 0. Other cells leave it unchanged. */
  readonly c: tf.Tensor;
}

/** How a cell computes. */
export interface Cell {
  /** Output channels of each weight, by name. A cell with a single weight names it "". */
  readonly weights: Readonly<Record<string, number>>;
  /**
   * Computes the state after a position.
   *
   * @param gate computes [x, h] @ weight + bias for the named weight and the position's x
   */
  step(state: CellState, gate: (weight: string, h: tf.Tensor) => tf.Tensor, tfjs: typeof tf): CellState;
  /** The same cell in ONNX. */
  readonly nodes: CellNodes;
}

/**
 * Makes a layer whose output at each position is the h of its cell. Each weight is [channels + hidden, output channels],
 * with the rows for x first. Initial weights are normal with standard deviation 1 / sqrt(channels + hidden); biases and
 * `start` are 0.
 */
export function recurrentLayer<Spec extends { type: string; hidden: number }>(
  spec: Spec,
  { name, inputShape }: Pick<Placement, "name" | "inputShape">,
  cell: Cell,
): Layer<Spec> {
  const channels = channelsOf(name, inputShape);
  const [positions = 0] = inputShape;
  const { hidden } = spec;
  const fanIn = channels + hidden;
  const start = `${name}.start`;
  const parameter = (key: string, suffix: string) => `${key === "" ? name : `${name}.${key}`}.${suffix}`;
  const weights = Object.entries(cell.weights).map(([key, width]) => {
    return { key, width, weight: parameter(key, "weight"), bias: parameter(key, "bias") };
  });
  const made = weights.reduce((sum, { width }) => sum + width, 0);
  const names: RecurrentNames = {
    name,
    channels,
    hidden,
    start,
    weight: (key) => parameter(key, "weight"),
    bias: (key) => parameter(key, "bias"),
  };
  return {
    name,
    spec,
    inputShape,
    outputShape: [positions, hidden],
    parameters: [
      { name: start, shape: [hidden], trainable: true, initial: { fill: 0 } },
      ...weights.flatMap(({ width, weight, bias }): Parameter[] => [
        { name: weight, shape: [fanIn, width], trainable: true, initial: { normal: 1 / Math.sqrt(fanIn) } },
        { name: bias, shape: [width], trainable: true, initial: { fill: 0 } },
      ]),
    ],
    saturates: true,
    scratch: (length) => length * made,
    forward: (x, { tf, value }) => {
      const [batch = 0, time = 0] = x.shape;
      const rows = x.reshape([batch * time, channels]);
      // The products with x are computed for all positions at once; those with h need the previous position.
      const parts = new Map(
        weights.map(({ key, width, weight, bias }) => {
          const ofX = tf.matMul(rows, value(weight).slice([0, 0], [channels, width])).add(value(bias));
          const ofH = value(weight).slice([channels, 0], [hidden, width]);
          return [key, { ofX: ofX.reshape([batch, time, width]).unstack(1), ofH }];
        }),
      );
      let state: CellState = {
        h: value(start).reshape([1, hidden]).tile([batch, 1]),
        c: tf.zeros([batch, hidden]),
      };
      const outputs: tf.Tensor[] = [];
      for (let i = 0; i < time; i++) {
        const gate = (key: string, h: tf.Tensor) => {
          const part = parts.get(key);
          const ofX = part?.ofX[i];
          if (!part || !ofX) throw new Error(`${name} has no weight "${key}".`);
          return tf.matMul(h, part.ofH).add(ofX);
        };
        state = cell.step(state, gate, tf);
        outputs.push(state.h);
      }
      return tf.stack(outputs, 1);
    },
    onnx: (graph, input) => sequenceNodes(graph, input, names, cell.nodes),
    step: (graph, input) => stepNodes(graph, input, names, cell.nodes),
  };
}

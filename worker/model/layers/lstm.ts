import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerKind } from "../layer";
import { recurrentLayer } from "../recurrent";

/** An RNN with a separate memory, and gates that decide what the memory keeps, takes in and outputs. */
export interface LSTMSpec {
  type: "LSTM";
  /** Size of its output and of its memory, 1 to 4,096. */
  hidden: number;
}

/**
 * i, f, g, o = the four parts of [x, h] @ weight + bias, c = sigmoid(f) * c + sigmoid(i) * tanh(g), and
 * h = sigmoid(o) * tanh(c). The initial h is the learned `start`, the initial c is 0 (Hochreiter and Schmidhuber, 1997).
 */
export const LSTM: LayerKind<LSTMSpec> = {
  schema: v.strictObject({ type: v.literal("LSTM"), hidden: whole(1, 4096) }),
  readsWords: () => true,
  make: (spec, place) =>
    recurrentLayer(spec, place, {
      weights: { "": 4 * spec.hidden },
      step: ({ h, c }, gate, tf) => {
        const [i, f, g, o] = tf.split(gate("", h), 4, 1);
        if (!i || !f || !g || !o) throw new Error("The gates are not in four parts.");
        const memory = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
        return { h: o.sigmoid().mul(memory.tanh()), c: memory };
      },
      nodes: {
        operator: "LSTM",
        gates: 4,
        // ONNX's order is i, o, f, g.
        arrange: (write, part, axis) =>
          write.concat(axis, ...[0, 3, 1, 2].map((gate) => write.part(part(""), gate, axis))),
        step: (write, h, gate, graph) => {
          const memory = `${place.name}.c`;
          const gates = gate("", h);
          const sigmoid = (i: number) => write.node("Sigmoid", write.part(gates, i, 1));
          const kept = write.node("Mul", sigmoid(1), graph.recall(memory, spec.hidden));
          const written = write.node("Mul", sigmoid(0), write.node("Tanh", write.part(gates, 2, 1)));
          const c = write.node("Add", kept, written);
          graph.remember(memory, c);
          return write.node("Mul", sigmoid(3), write.node("Tanh", c));
        },
      },
    }),
};

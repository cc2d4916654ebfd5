/**
 * What a layer is. Think of one as the lecture's class of the same name, with its sizes filled
 * in: it knows its shapes, its parameters and how each begins, its forward pass in tfjs, and its
 * nodes in ONNX. All of that is in the layer's own file under `layers/`; to add a layer is to add
 * a file and a line in `layers/index.ts`.
 *
 * Layers hold no numbers. The values live in `Parameters`, by name, so an engine may keep them in
 * WebAssembly memory or on a GPU.
 */
import type * as tf from "@tensorflow/tfjs";
import type { LayerSpec } from "../../src/types";
import type { GraphBuilder } from "../onnx/graph";

/** [positions, channels] of one example; before the Embedding, [positions]. */
export type Shape = readonly number[];

/** A named tensor of a layer. */
export interface Parameter {
  /** `layer.parameter`, such as `linear1.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** False for running statistics: they move with the forward pass, not with the gradient. */
  readonly trainable: boolean;
  /** How it begins: a constant, or normal numbers times `normal`. */
  readonly initial: { readonly fill: number } | { readonly normal: number };
}

/** Values by parameter name, row-major float32. */
export type Parameters = Map<string, Float32Array<ArrayBuffer>>;

/** What a layer's tfjs forward pass may ask of the engine that runs it. */
export interface ForwardContext {
  /** The namespace of tfjs, so that no layer loads it. */
  readonly tf: typeof tf;
  /** True: batch statistics, and the running ones move. False: evaluation mode. */
  readonly training: boolean;
  /** The tensor of a parameter. */
  value(name: string): tf.Tensor;
  /** Sets a parameter that is not trainable. */
  update(name: string, value: tf.Tensor): void;
}

export interface Layer {
  /** Unique in its model: the type in lower case, and a number where it may occur twice. */
  readonly name: string;
  readonly type: LayerSpec["type"];
  /** The spec with nothing left out. */
  readonly spec: LayerSpec;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** x: [batch, ...inputShape] to [batch, ...outputShape]. */
  forward(x: tf.Tensor, context: ForwardContext): tf.Tensor;
  /** Adds this layer's nodes in evaluation mode; takes and returns names of values. */
  onnx(graph: GraphBuilder, input: string): string;
}

/** What a layer is made in: the place it gets in its model. */
export interface Placement {
  /** Its name, for its parameters and for messages. */
  readonly name: string;
  readonly inputShape: Shape;
  /** Ids in all: what an Embedding looks up and the last Linear predicts. */
  readonly vocabularySize: number;
  /** Whether this is the model's last layer, whose Linear makes the logits. */
  readonly last: boolean;
}

/** A shape for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * What a layer is: like the lecture's class of the same name, with its sizes filled in. A layer knows its shapes, its
 * parameters with their initial values, its forward pass in tfjs, and its nodes in ONNX. All of this is in the layer's
 * own file under `layers/`; docs/extending.md explains how to add one.
 *
 * Layers hold no numbers. The values are in `Parameters`, by name, so an engine may keep them in WebAssembly memory or on
 * a GPU.
 */
import type * as tf from "@tensorflow/tfjs";
import type * as v from "valibot";
import { MakemoreError } from "../../src/errors";
import type { Heads } from "./attentionNodes";
import type { LayerSpec } from "./layers";

/**
 * What one training example is. `"window"`: the characters before a position, to predict the next one. `"word"`: a whole
 * word, read from left to right, to predict each of its characters and its end.
 */
export type Example = "window" | "word";

/**
 * [positions, channels] of one example; [positions] before the Embedding. If an example is a word, `positions` is the
 * most that a word may have; the actual tensors have as many as the longest word of their minibatch.
 */
export type Shape = readonly number[];

/** A named tensor of a layer. */
export interface Parameter {
  /** `layer.parameter`, such as `linear1.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** False for running statistics: the forward pass updates them, not the gradient. */
  readonly trainable: boolean;
  /** Initial values: a constant, or normal numbers with standard deviation `normal`. */
  readonly initial: { readonly fill: number } | { readonly normal: number };
  /** True for variances: a file with a negative value is damaged. */
  readonly nonNegative?: true;
}

/** Values by parameter name, row-major float32. */
export type Parameters = Map<string, Float32Array<ArrayBuffer>>;

/** What the engine offers to a layer's tfjs forward pass. */
export interface ForwardContext {
  /** The namespace of tfjs, so that layers need not load it. */
  readonly tf: typeof tf;
  /** True: use batch statistics and update the running ones. False: evaluation mode. */
  readonly training: boolean;
  /** The tensor of a parameter. */
  value(name: string): tf.Tensor;
  /** Sets a parameter that is not trainable. */
  update(name: string, value: tf.Tensor): void;
  /** Gets the output of every layer, even of one inside another. */
  watch?(layer: InnerLayer, output: tf.Tensor): void;
}

/** An attribute of an ONNX node, by its kind. */
export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] };

/** Writes a layer's ONNX nodes. Values are referred to by name. Implemented by `worker/onnx/graph.ts`. */
export interface NodeWriter {
  /**
   * Adds a node and returns the name of its output.
   *
   * @param group name of the layer; the node's name begins with it
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    group: string,
  ): string;
  /** Adds a parameter with its trained values, and returns its name. */
  initializer(name: string): string;
  /** Adds an int64 constant [n]: operators take shapes and positions in this form. */
  integers(values: readonly number[], group: string): string;
  /** Adds a constant of a few numbers. */
  constant(
    type: "float" | "int32" | "int64",
    values: readonly number[],
    dimensions: readonly number[],
    group: string,
  ): string;
}

/**
 * Writes the nodes of a layer for one token at a time. All values are [batch, channels]; each row belongs to another
 * word. Implemented by `worker/onnx/wordStep.ts` and `prefixTree.ts`.
 */
export interface StepWriter extends NodeWriter {
  /** int32 [batch]: how many tokens of the word came before this one. */
  position(): string;
  /**
   * Returns the value that was remembered under this name at the previous token, [batch, channels].
   *
   * @param initial a value [channels] to use at a word's first token. Default: 0
   */
  recall(name: string, channels: number, initial?: string): string;
  /** Stores a value [batch, channels] for the `recall` of the next token. */
  remember(name: string, value: string): void;
  /**
   * Attention of this token to itself and to all earlier tokens of its word. Stores `k` and `values` for later tokens.
   *
   * @param name name of the layer
   * @param token query, key and values of this token, [batch, channels] each, like the result
   * @param heads number of heads, of channels / heads channels each
   */
  attend(name: string, token: Heads, channels: number, heads: number): string;
}

/**
 * A layer's role in a block (blocks.ts). The fused engines and the convolutional form can only run networks in which
 * every layer has a role.
 */
export type BlockPart =
  | { readonly role: "embedding"; readonly weight: string; readonly dimensions: number }
  | { readonly role: "fold"; readonly n: number }
  | {
      readonly role: "linear";
      readonly weight: string;
      readonly bias?: string;
      readonly fanIn: number;
      readonly fanOut: number;
    }
  | ({ readonly role: "norm" } & BlockNorm)
  | { readonly role: "tanh" };

/** The options and parameter names of a BatchNorm1d. */
export interface BlockNorm {
  readonly gamma: string;
  readonly beta: string;
  readonly runningMean: string;
  readonly runningVariance: string;
  readonly momentum: number;
  readonly epsilon: number;
}

/** @template Spec the layer's description, with all defaults filled in */
export interface Layer<Spec extends { type: string } = { type: string }> {
  /** Unique in its model: the type in lower camel case, with a number if the type may occur twice. */
  readonly name: string;
  readonly spec: Spec;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** The layer's role in a block. Without one, networks of windows with this layer are trained by tfjs. */
  readonly block?: BlockPart;
  /** Least number of rows (examples times positions) for training. Default 1. */
  readonly minimumRows?: number;
  /** Layers inside this one. Default: none. */
  readonly layers?: readonly InnerLayer[];
  /** True if every output comes out of a tanh, so that `diagnostics` reports how many are saturated. */
  readonly saturates?: true;
  /** Count of the numbers that the forward pass keeps besides its output, per example. Default: none. */
  scratch?(positions: number): number;
  /** Maps x, [batch, ...inputShape], to [batch, ...outputShape]. For words, see `Shape` about positions. */
  forward(x: tf.Tensor, context: ForwardContext): tf.Tensor;
  /** Adds this layer's nodes, in evaluation mode. Takes the name of the input and returns the name of the output. */
  onnx(graph: NodeWriter, input: string): string;
  /**
   * Same as `onnx`, but for one token at a time, [batch, channels]. Needed by layers whose output depends on earlier
   * tokens. Default: `onnx`, which must then work on the last axis only.
   */
  step?(graph: StepWriter, input: string): string;
}

// These are interfaces, because TypeScript resolves them lazily: `LayerSpec` is derived from the kinds of layers, which
// use these two types.
/** A layer inside another one. */
export interface InnerLayer extends Layer<LayerSpec> {}
/** The descriptions of the layers inside another one. */
export interface InnerSpecs extends ReadonlyArray<LayerSpec> {}

/** The place of a new layer in its model. */
export interface Placement {
  /** The layer's name, for its parameters and for messages. */
  readonly name: string;
  readonly inputShape: Shape;
  /** Number of ids: the rows of the Embedding, and the outputs of the last Linear. */
  readonly vocabularySize: number;
  /** Whether this is the model's last layer, which gives the logits. */
  readonly last: boolean;
  /** Makes a layer inside this one. Layers of a type are numbered across the whole model. */
  inner(spec: LayerSpec, inputShape: Shape): Layer<LayerSpec>;
}

/** Schemas for options that contain layers. */
export interface InnerSchemas {
  readonly layer: v.GenericSchema<unknown, LayerSpec>;
}

/**
 * A kind of layer: what a file under `layers/` defines.
 *
 * @template Spec how a caller describes such a layer
 * @template Options the same with all defaults filled in
 */
export interface LayerKind<Spec extends { type: string } = { type: string }, Options extends Spec = Spec> {
  /** Checks a description and fills in its defaults. A function if the options contain layers. */
  readonly schema:
    | v.GenericSchema<Spec, Options>
    | ((schemas: InnerSchemas) => v.GenericSchema<unknown, Options>);
  /** A model should have only one of these, so the first one's name has no number. */
  readonly once?: true;
  /** How many neighbouring positions the layer joins into one. Default 1. */
  joins?(options: Options): number;
  /** Whether a network with this layer reads words from left to right. Default: no. */
  readsWords?(options: Options): boolean;
  /** Most positions of a word that the layer can take. Default: any number. */
  mostPositions?(options: Options): number;
  /** The layers inside this one. Default: none. */
  inside?(options: Options): InnerSpecs;
  /** Why the layer cannot be in a network that reads words. Default: it can. */
  readonly windowsOnly?: string;
  /**
   * Makes the layer for a place in a model.
   *
   * @throws MakemoreError `INVALID_MODEL` with the layer's name and both shapes if it does not fit
   */
  make(options: Options, place: Placement): Layer<Options>;
}

/** Formats a shape for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * Returns the channels of a layer's input.
 *
 * @throws MakemoreError `INVALID_MODEL` if the input is not [positions, channels]
 */
export function channelsOf(name: string, inputShape: Shape): number {
  const [, channels] = inputShape;
  if (channels === undefined)
    throw new MakemoreError(
      "INVALID_MODEL",
      `Layer ${name} takes [positions, channels], but its input is ${showShape(inputShape)}; put an Embedding first.`,
    );
  return channels;
}

/** Runs a layer, and shows its output to the context. */
export function forwardOf(layer: InnerLayer, x: tf.Tensor, context: ForwardContext): tf.Tensor {
  const y = layer.forward(x, context);
  context.watch?.(layer, y);
  return y;
}

/** Writes the nodes of a layer for one token: `step`, or `onnx` if the layer has no `step`. */
export function stepOf(layer: Pick<Layer, "onnx" | "step">, graph: StepWriter, input: string): string {
  return layer.step ? layer.step(graph, input) : layer.onnx(graph, input);
}

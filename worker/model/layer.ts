/**
 * What a layer is. Think of one as the lecture's class of the same name, with its sizes filled
 * in: it knows its shapes, its parameters and how each begins, its forward pass in tfjs, and its
 * nodes in ONNX. All of that is in the layer's own file under `layers/`; docs/extending.md says how
 * to add one.
 *
 * Layers hold no numbers. The values live in `Parameters`, by name, so an engine may keep them in
 * WebAssembly memory or on a GPU.
 */
import type * as tf from "@tensorflow/tfjs";
import type * as v from "valibot";
import { MakemoreError } from "../../src/errors";
import type { Heads } from "./attentionNodes";
import type { LayerSpec } from "./layers";

/**
 * What a network learns from. `"window"`: the characters before one, and that one to predict. `"word"`: a whole
 * word, read from left to right, with every character and the word's end to predict.
 */
export type Example = "window" | "word";

/**
 * [positions, channels] of one example; before the Embedding, [positions]. If an example is a word, `positions`
 * is the most that it may have; the tensors have as many as the longest word of their minibatch.
 */
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
  /** True for variances: a file with a negative one is damaged. */
  readonly nonNegative?: true;
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

/** An attribute of an ONNX node, by its kind. */
export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] };

/** What a layer writes its ONNX nodes with. Values are known by name; `worker/onnx/graph.ts` implements it. */
export interface NodeWriter {
  /**
   * Adds a node and returns the name of its output.
   *
   * @param group the layer that it belongs to: the node's name begins with it
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    group: string,
  ): string;
  /** The value of a parameter, as trained. */
  initializer(name: string): string;
  /** An int64 constant [n], which is how operators take shapes and positions. */
  integers(values: readonly number[], group: string): string;
  /** A constant of a few numbers. */
  constant(
    type: "float" | "int32" | "int64",
    values: readonly number[],
    dimensions: readonly number[],
    group: string,
  ): string;
}

/**
 * What a layer writes the nodes of one token with. All values are [batch, channels]: each row is a word of
 * its own. `worker/onnx/wordStep.ts` implements it.
 */
export interface StepWriter extends NodeWriter {
  /** int32 [batch]: how many tokens of the word came before this one. */
  position(): string;
  /**
   * The value that was remembered under this name one token earlier, [batch, channels].
   *
   * @param initial a value [channels] to use at a word's first token; 0 by default
   */
  recall(name: string, channels: number, initial?: string): string;
  /** Keeps a value [batch, channels] for the next token's `recall`. */
  remember(name: string, value: string): void;
  /**
   * Attention of this token to itself and to all earlier ones of its word: what each head finds. Keeps `k` and
   * `values` for later tokens.
   *
   * @param name the layer's
   * @param token [batch, channels] each, as is the result
   * @param heads each has channels / heads channels
   */
  attend(name: string, token: Heads, channels: number, heads: number): string;
}

/**
 * What the fused engines and the convolutional form may know of a layer: its part in a block
 * (blocks.ts). They take a network only if each of its layers has one.
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

/** A BatchNorm1d by the names of its parameters. */
export interface BlockNorm {
  readonly gamma: string;
  readonly beta: string;
  readonly runningMean: string;
  readonly runningVariance: string;
  readonly momentum: number;
  readonly epsilon: number;
}

/** @template Spec what describes the layer, with nothing left out */
export interface Layer<Spec extends { type: string } = { type: string }> {
  /** Unique in its model: the type in lower case, and a number where it may occur twice. */
  readonly name: string;
  readonly spec: Spec;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  /** Its part in a block. Default: none, so that only tfjs trains it. */
  readonly block?: BlockPart;
  /** Rows (examples times positions) that training needs at the least. Default 1. */
  readonly minimumRows?: number;
  /** The layers that it is made of. Default: none. */
  readonly layers?: readonly InnerLayer[];
  /** Numbers that its forward pass keeps beside its output, for an example of so many positions. Default: none. */
  scratch?(positions: number): number;
  /** x: [batch, ...inputShape] to [batch, ...outputShape]; see `Shape` on the positions of words. */
  forward(x: tf.Tensor, context: ForwardContext): tf.Tensor;
  /** Adds this layer's nodes in evaluation mode; takes and returns names of values. */
  onnx(graph: NodeWriter, input: string): string;
  /**
   * The same for one token of a word after the other, [batch, channels]: for a layer whose output depends on
   * earlier tokens. Default: `onnx`, which then must work on the last axis alone.
   */
  step?(graph: StepWriter, input: string): string;
}

// Interfaces, because the compiler looks into them later than into other types: `LayerSpec` is made from the kinds
// of layers, and the two below are part of a kind.
/** A layer inside another. */
export interface InnerLayer extends Layer<LayerSpec> {}
/** The descriptions of the layers inside another. */
export interface InnerSpecs extends ReadonlyArray<LayerSpec> {}

/** What a layer is made in: the place it gets in its model. */
export interface Placement {
  /** Its name, for its parameters and for messages. */
  readonly name: string;
  readonly inputShape: Shape;
  /** Ids in all: what an Embedding looks up and the last Linear predicts. */
  readonly vocabularySize: number;
  /** Whether this is the model's last layer, whose Linear makes the logits. */
  readonly last: boolean;
  /** Makes a layer inside this one; its name counts on in the whole model. */
  inner(spec: LayerSpec, inputShape: Shape): Layer<LayerSpec>;
}

/** What a schema may check options with that hold layers. */
export interface InnerSchemas {
  readonly layer: v.GenericSchema<unknown, LayerSpec>;
}

/**
 * A kind of layer: what a file under `layers/` defines.
 *
 * @template Spec how a caller describes such a layer
 * @template Options the same with every default filled in
 */
export interface LayerKind<Spec extends { type: string } = { type: string }, Options extends Spec = Spec> {
  /** Checks a description and fills in its defaults, which stand nowhere else. A function if it holds layers. */
  readonly schema:
    | v.GenericSchema<Spec, Options>
    | ((schemas: InnerSchemas) => v.GenericSchema<unknown, Options>);
  /** A model has only one of these, so its name has no number. */
  readonly once?: true;
  /** How many neighbouring positions become one. Default 1. */
  joins?(options: Options): number;
  /** Whether it makes the network read words, each position after those before it. Default: no. */
  readsWords?(options: Options): boolean;
  /** Most positions of a word that it can take. Default: any number. */
  mostPositions?(options: Options): number;
  /** The layers inside it. Default: none. */
  inside?(options: Options): InnerSpecs;
  /** Why it cannot be in a network that reads words, or undefined if it can. Default: it can. */
  readonly windowsOnly?: string;
  /**
   * The layer in its place.
   *
   * @throws MakemoreError `INVALID_MODEL` with the layer's name and both shapes where it does not fit
   */
  make(options: Options, place: Placement): Layer<Options>;
}

/** A shape for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * The channels of a layer's input.
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

/** The nodes of one token of a layer; one that reads no other tokens has the same as for all. */
export function stepOf(layer: Pick<Layer, "onnx" | "step">, graph: StepWriter, input: string): string {
  return layer.step ? layer.step(graph, input) : layer.onnx(graph, input);
}

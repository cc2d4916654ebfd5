/**
 * A network is the lecture's `Sequential`: a list of layers, where each gets the output of the one before. It holds
 * shapes and names; the numbers are in `Parameters`.
 */
import { MakemoreError } from "../../src/errors";
import { ITEMS, runToEnd, type Work } from "../../src/slices";
import { fillNormal } from "../data/random";
import { asBlocks, type BlockChain } from "./blocks";
import {
  type Example,
  type Layer,
  type Parameter,
  type Parameters,
  type Placement,
  type Shape,
  showShape,
} from "./layer";
import { type LayerSpec, layerKind, makeLayer } from "./layers";

/** Longest context, because each of its positions needs memory for every example of a minibatch. */
export const MAX_CONTEXT_LENGTH = 256;

export interface Network {
  readonly example: Example;
  /** Characters before the one to predict. If an example is a word: most positions of a word, its characters plus one. */
  readonly contextLength: number;
  /** Number of ids, including the boundary and the groups. */
  readonly vocabularySize: number;
  /** The first id of a group; groups are never predicted. Equal to `vocabularySize` if there are no groups. */
  readonly firstGroup: number;
  readonly layers: readonly Layer<LayerSpec>[];
  /** Parameters of all layers, in order, including running statistics. */
  readonly parameters: readonly Parameter[];
  /** The layers as blocks, for the fused engines and the ONNX forms that need blocks; undefined if they are not blocks. */
  readonly chain: BlockChain | undefined;
}

/** Makes a network of layers that already fit together. */
export function sequential(
  layers: readonly Layer<LayerSpec>[],
  contextLength: number,
  vocabularySize: number,
  groups = 0,
): Network {
  const firstGroup = vocabularySize - groups;
  const parameters = layers.flatMap((layer) => layer.parameters);
  const example = exampleOf(layers.map((layer) => layer.spec));
  const chain = example === "window" ? asBlocks(layers, contextLength, vocabularySize) : undefined;
  return { example, contextLength, vocabularySize, firstGroup, layers, parameters, chain };
}

/** Returns what one example is: a word if any layer, even one inside another, reads words. */
export function exampleOf(specs: readonly LayerSpec[]): Example {
  return everySpec(specs).some((spec) => layerKind(spec).readsWords?.(spec)) ? "word" : "window";
}

/** All specs in order, including those inside others. */
function everySpec(specs: readonly LayerSpec[]): LayerSpec[] {
  return specs.flatMap((spec) => [spec, ...everySpec(layerKind(spec).inside?.(spec) ?? [])]);
}

/**
 * Builds a network and checks that its shapes fit: it maps [contextLength] to [1, vocabularySize], or to
 * [contextLength, vocabularySize] if it reads words. The context length is the product of the folds. For a network that
 * reads words, it is the most positions that every layer can take.
 *
 * @param groups number of groups; they have the last ids
 * @throws MakemoreError `INVALID_MODEL` that names the layer and both shapes
 */
export function buildNetwork(specs: readonly LayerSpec[], vocabularySize: number, groups = 0): Network {
  const example = exampleOf(specs);
  const contextLength = example === "word" ? mostPositions(specs) : joinedPositions(specs);
  if (contextLength > MAX_CONTEXT_LENGTH)
    throw new MakemoreError(
      "INVALID_MODEL",
      `The layers join a context of ${contextLength} characters into one position; at most ${MAX_CONTEXT_LENGTH} are possible.`,
    );
  const counts = new Map<string, number>();
  const place = (spec: LayerSpec, inputShape: Shape, last: boolean): Layer<LayerSpec> => {
    const { once, windowsOnly } = layerKind(spec);
    const count = (counts.get(spec.type) ?? 0) + 1;
    counts.set(spec.type, count);
    const name = once && count === 1 ? baseName(spec) : `${baseName(spec)}${count}`;
    if (example === "word" && windowsOnly)
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} cannot be in a model that reads words: ${windowsOnly}.`,
      );
    const inner: Placement["inner"] = (inside, shape) => place(inside, shape, false);
    return makeLayer(spec, { name, inputShape, vocabularySize, last, inner });
  };
  const layers: Layer<LayerSpec>[] = [];
  let shape: Shape = [contextLength];
  for (const [i, spec] of specs.entries()) {
    const layer = place(spec, shape, i === specs.length - 1);
    layers.push(layer);
    shape = layer.outputShape;
  }
  const last = layers.at(-1);
  const logits = [example === "word" ? contextLength : 1, vocabularySize];
  if (!last || showShape(shape) !== showShape(logits))
    throw new MakemoreError(
      "INVALID_MODEL",
      `The last layer, ${last?.name ?? "(there is none)"}, gives ${showShape(shape)}, but the logits are ${showShape(logits)}; end with { type: "Linear" }.`,
    );
  return sequential(layers, contextLength, vocabularySize, groups);
}

/** The type in lower camel case: `rnn`, `rmsNorm`, `batchNorm1d`. */
function baseName({ type }: LayerSpec): string {
  return type.replace(/^(?:[A-Z]+(?![a-z])|[A-Z])/, (start) => start.toLowerCase());
}

/** Number of positions that the layers join into one. */
function joinedPositions(specs: readonly LayerSpec[]): number {
  return specs.reduce((product, spec) => product * (layerKind(spec).joins?.(spec) ?? 1), 1);
}

/** Most positions of a word that every layer can take. */
function mostPositions(specs: readonly LayerSpec[]): number {
  const limits = everySpec(specs).map((spec) => layerKind(spec).mostPositions?.(spec) ?? MAX_CONTEXT_LENGTH);
  return Math.min(MAX_CONTEXT_LENGTH, ...limits);
}

/** Counts the trainable numbers. */
export function parameterCount(parameters: readonly Parameter[]): number {
  return parameters.filter((p) => p.trainable).reduce((sum, p) => sum + elements(p), 0);
}

/** Counts the numbers in a parameter. */
export function elements(parameter: Pick<Parameter, "shape">): number {
  return parameter.shape.reduce((product, n) => product * n, 1);
}

/** Makes the initial values. They depend on the seed and on each parameter's index in the network. */
export function initialParameters(network: Network, seed: number): Parameters {
  return runToEnd(initialParametersWork(network, seed));
}

/** Same as `initialParameters`, in slices, because 50 million normal numbers take seconds. */
export function* initialParametersWork(network: Network, seed: number): Work<Parameters> {
  const parameters: Parameters = new Map();
  for (const [place, parameter] of network.parameters.entries()) {
    const { initial } = parameter;
    const values = new Float32Array(elements(parameter));
    parameters.set(parameter.name, values);
    if ("fill" in initial) {
      values.fill(initial.fill);
      continue;
    }
    for (let from = 0; from < values.length; from += ITEMS) {
      const to = Math.min(values.length, from + ITEMS);
      fillNormal(values, seed, place, from, to);
      for (let i = from; i < to; i++) values[i] = (values[i] ?? 0) * initial.normal;
      yield;
    }
  }
  return parameters;
}

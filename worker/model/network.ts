/**
 * A network is the lecture's `Sequential`: layers in a row, each fed by the one before. It is a
 * description (shapes and names); the numbers are `Parameters`.
 */
import { MakemoreError } from "../../src/errors";
import { ITEMS, runToEnd, type Work } from "../../src/slices";
import { fillNormal } from "../data/random";
import { asBlocks, type BlockChain } from "./blocks";
import { type Layer, type Parameter, type Parameters, type Shape, showShape } from "./layer";
import { type LayerSpec, layerKind, makeLayer } from "./layers";

/** Characters a model may see: each costs memory in every example of a minibatch. */
export const MAX_CONTEXT_LENGTH = 256;

export interface Network {
  readonly contextLength: number;
  /** Ids in all, the boundary's included. */
  readonly vocabularySize: number;
  readonly layers: readonly Layer<LayerSpec>[];
  /** Of all layers, in order; running statistics included. */
  readonly parameters: readonly Parameter[];
  /** The same as blocks, for the fused engines and the forms made of blocks; undefined if it is no chain. */
  readonly chain: BlockChain | undefined;
}

/** A network of layers that fit together. */
export function sequential(
  layers: readonly Layer<LayerSpec>[],
  contextLength: number,
  vocabularySize: number,
): Network {
  const parameters = layers.flatMap((layer) => layer.parameters);
  const chain = asBlocks(layers, contextLength, vocabularySize);
  return { contextLength, vocabularySize, layers, parameters, chain };
}

/**
 * Builds a network and checks that its shapes fit, from [contextLength] to [1, vocabularySize].
 * The context length is the product of the folds: what the layers can merge into one position.
 *
 * @throws MakemoreError `INVALID_MODEL` that names the layer and both shapes
 */
export function buildNetwork(specs: readonly LayerSpec[], vocabularySize: number): Network {
  const contextLength = specs.reduce((product, spec) => product * (layerKind(spec).joins?.(spec) ?? 1), 1);
  if (contextLength > MAX_CONTEXT_LENGTH)
    throw new MakemoreError(
      "INVALID_MODEL",
      `The layers join a context of ${contextLength} characters into one position; at most ${MAX_CONTEXT_LENGTH} are possible.`,
    );
  const counts = new Map<string, number>();
  const layers: Layer<LayerSpec>[] = [];
  let shape: Shape = [contextLength];
  for (const [i, spec] of specs.entries()) {
    const count = (counts.get(spec.type) ?? 0) + 1;
    counts.set(spec.type, count);
    const base = spec.type.charAt(0).toLowerCase() + spec.type.slice(1);
    const name = layerKind(spec).once && count === 1 ? base : `${base}${count}`;
    const layer = makeLayer(spec, { name, inputShape: shape, vocabularySize, last: i === specs.length - 1 });
    layers.push(layer);
    shape = layer.outputShape;
  }
  const last = layers.at(-1);
  if (!last || shape.length !== 2 || shape[0] !== 1 || shape[1] !== vocabularySize)
    throw new MakemoreError(
      "INVALID_MODEL",
      `The last layer, ${last?.name ?? "(there is none)"}, gives ${showShape(shape)}, but the logits are ${showShape([1, vocabularySize])}; end with { type: "Linear" }.`,
    );
  return sequential(layers, contextLength, vocabularySize);
}

/** Trainable numbers of a network. */
export function parameterCount(parameters: readonly Parameter[]): number {
  return parameters.filter((p) => p.trainable).reduce((sum, p) => sum + elements(p), 0);
}

/** Numbers in a parameter. */
export function elements(parameter: Pick<Parameter, "shape">): number {
  return parameter.shape.reduce((product, n) => product * n, 1);
}

/** The values a training begins with: a function of the seed and of each parameter's place. */
export function initialParameters(network: Network, seed: number): Parameters {
  return runToEnd(initialParametersWork(network, seed));
}

/** As `initialParameters`, in slices: 50 million normal numbers take seconds. */
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

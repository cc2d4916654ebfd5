import type { ModelInfo } from "../../src/types";
import { parameterCount } from "../model/network";
import type { Checkpoint } from "./checkpoint";

/** Returns the page's information about a model. */
export function modelInfo({ network, vocabulary, step, recipe }: Checkpoint): ModelInfo {
  return {
    contextLength: network.contextLength,
    vocabulary: vocabulary.characters,
    ...(vocabulary.groups.length > 0 ? { groups: vocabulary.groups } : {}),
    layers: network.layers.map(({ name, spec, inputShape, outputShape, parameters }) => ({
      name,
      type: spec.type,
      inputShape,
      outputShape,
      parameters: parameterCount(parameters),
    })),
    parameters: parameterCount(network.parameters),
    step,
    steps: recipe.steps,
  };
}

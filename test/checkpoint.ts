/** Checkpoints for tests: PyTorch's trained models, and random ones of any shape that look trained. */
import type { LayerSpec, ModelChoice, TrainOptions } from "../src/types";
import { randomNormal } from "../worker/data/random";
import { Vocabulary } from "../worker/data/vocabulary";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, elements } from "../worker/model/network";
import { checkTrainOptions } from "../worker/options";
import type { Checkpoint } from "../worker/training/checkpoint";
import { pytorchRun } from "./pytorch";

export const LETTERS = new Vocabulary([..."abcdefghijklmnopqrstuvwxyz"]);

/** Makes a vocabulary of `size` ids, including the boundary's. */
export function vocabularyOf(size: number): Vocabulary {
  // Unicode's characters from "a" on. None of the first 50,000 is a surrogate.
  return new Vocabulary(Array.from({ length: size - 1 }, (_, i) => String.fromCodePoint(97 + i)));
}

/** The options of a training that a checkpoint keeps. */
function recipeOf(options: TrainOptions): Checkpoint["recipe"] {
  const {
    model: _,
    evalEvery: __,
    sampleEvery: ___,
    diagnostics: ____,
    prefetch: _____,
    ...recipe
  } = checkTrainOptions(options)();
  return recipe;
}

/** PyTorch's model after the fixture's 20 steps of SGD. */
export function pytorchCheckpoint(name: "mlp" | "wavenet"): Checkpoint {
  const { network, after, running } = pytorchRun(name);
  return {
    vocabulary: LETTERS,
    network,
    parameters: new Map([...after, ...running]),
    step: 20,
    recipe: recipeOf({ optimizer: "sgd" }),
  };
}

/**
 * Makes a model of any shape with random numbers everywhere, including running statistics and AdamW's moments. So no
 * scale is 1, and no shift is 0.
 */
export function randomCheckpoint(
  model: ModelChoice | readonly LayerSpec[],
  vocabulary: Vocabulary = LETTERS,
  seed = 1,
): Checkpoint {
  const network = buildNetwork(architecture(model), vocabulary.size);
  const draw = (length: number, key: number) => randomNormal(seed, key, length);
  const parameters = new Map(
    network.parameters.map((parameter, place) => {
      const values = draw(elements(parameter), place);
      const suffix = parameter.name.split(".").at(-1);
      if (suffix === "weight") {
        const scale = 1.5 / Math.sqrt(parameter.name.startsWith("embedding") ? 1 : (parameter.shape[0] ?? 1));
        return [parameter.name, values.map((x) => x * scale)];
      }
      if (suffix === "runningVariance") return [parameter.name, values.map((x) => 0.5 + x * x)];
      if (suffix === "gamma") return [parameter.name, values.map((x) => 1 + 0.3 * x)];
      return [parameter.name, values.map((x) => 0.3 * x)];
    }),
  );
  const trained = network.parameters.filter((parameter) => parameter.trainable);
  const moment = (key: number, of: (x: number) => number) =>
    new Map(
      trained.map((parameter, i) => [parameter.name, draw(elements(parameter), key + i).map(of)] as const),
    );
  const optimizerState = new Map([
    ["m", moment(1000, (x) => 1e-3 * x)],
    ["v", moment(2000, (x) => 1e-6 * x * x)],
  ]);
  return { vocabulary, network, parameters, step: 1234, recipe: recipeOf({}), optimizerState };
}

/** Makes a model whose words are about as long as names. */
export function namer(): Checkpoint {
  const checkpoint = randomCheckpoint({ contextLength: 8, embedding: 6, hidden: 16 });
  const bias = checkpoint.parameters.get("linear4.bias");
  if (bias) bias[0] = 1.5;
  return checkpoint;
}

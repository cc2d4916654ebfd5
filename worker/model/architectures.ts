/** The lecture's two models as lists of layers, and sizes in between. */
import { MakemoreError } from "../../src/errors";
import type { LayerSpec, ModelChoice, ModelSizes } from "../../src/types";

/** The layers of a choice of model. */
export function architecture(choice: ModelChoice): readonly LayerSpec[] {
  // The lecture's final model, 76,579 parameters on a 27-symbol vocabulary: what sizes default to.
  if (choice === "wavenet") return architecture({});
  // Where the lecture starts: 12,097 parameters.
  if (choice === "mlp") return waveNet({ contextLength: 3, embedding: 10, hidden: 200, folds: [3] });
  if (isLayerList(choice)) return choice;
  const { contextLength = 8, embedding = 24, hidden = 128, folds } = choice;
  return waveNet({ contextLength, embedding, hidden, ...(folds ? { folds } : {}) });
}

/** `Array.isArray` does not narrow readonly arrays. */
function isLayerList(choice: ModelSizes | readonly LayerSpec[]): choice is readonly LayerSpec[] {
  return Array.isArray(choice);
}

/**
 * A tree: each level joins `fold` neighbours, then Linear, BatchNorm1d and Tanh; a last Linear
 * makes the logits. Lecture, "WaveNet: hierarchical fusion" (van den Oord et al., 2016).
 */
function waveNet(
  sizes: Required<Omit<ModelSizes, "folds">> & Pick<ModelSizes, "folds">,
): readonly LayerSpec[] {
  const { contextLength, embedding, hidden } = sizes;
  const folds = sizes.folds ?? primeFactors(contextLength);
  const product = folds.reduce((a, b) => a * b, 1);
  if (product !== contextLength)
    throw new MakemoreError(
      "INVALID_MODEL",
      `The folds ${folds.join(" x ")} join ${product} characters, but contextLength is ${contextLength}; they must be equal.`,
    );
  return [
    { type: "Embedding", dimensions: embedding },
    ...folds.flatMap((n): LayerSpec[] => [
      { type: "FlattenConsecutive", n },
      // BatchNorm1d subtracts the mean, so a bias before it would do nothing.
      { type: "Linear", fanOut: hidden, bias: false },
      { type: "BatchNorm1d" },
      { type: "Tanh" },
    ]),
    { type: "Linear" },
  ];
}

/** Smallest first: 8 is [2, 2, 2], 12 is [2, 2, 3], 7 is [7], 1 is [1]. */
function primeFactors(n: number): number[] {
  const factors: number[] = [];
  for (let factor = 2; n > 1; factor++) for (; n % factor === 0; n /= factor) factors.push(factor);
  return factors.length > 0 ? factors : [1];
}

/** What a network needs of a training, and what none can have. */
import { MakemoreError } from "../../src/errors";
import { elements, type Network } from "./network";

/** With AdamW's moments and the copies between threads, about 1 GB. */
const MAX_PARAMETERS = 50_000_000;
/** Numbers of all layers' outputs for one minibatch; an engine keeps several such, 1 GB at most. */
const MAX_ACTIVATIONS = 1 << 26;

/**
 * Refuses, before any memory is taken, what cannot be trained.
 *
 * @param call the method that is to train, for messages
 * @throws MakemoreError `INVALID_MODEL` for too many parameters, `INVALID_OPTION` for a batch that is too
 *   small for a BatchNorm1d or too large for the model
 */
export function checkTrainable({ layers, parameters }: Network, batchSize: number, call: string): void {
  const total = parameters.reduce((sum, parameter) => sum + elements(parameter), 0);
  if (total > MAX_PARAMETERS) {
    const largest = parameters.reduce((a, b) => (elements(a) >= elements(b) ? a : b));
    throw new MakemoreError(
      "INVALID_MODEL",
      `${call}: the model has ${total} parameters, ${elements(largest)} of them in ${largest.name}; at most ${MAX_PARAMETERS} are possible.`,
    );
  }
  const numbers = layers.reduce((sum, { outputShape }) => sum + outputShape.reduce((a, b) => a * b, 1), 0);
  if (numbers * batchSize > MAX_ACTIVATIONS)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: batchSize is ${batchSize}; for a model of this size it must be at most ${Math.floor(MAX_ACTIVATIONS / numbers)}.`,
    );
  for (const { name, inputShape, minimumRows = 1 } of layers) {
    const [positions = 1] = inputShape;
    if (batchSize * positions >= minimumRows) continue;
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: batchSize is ${batchSize}, which leaves ${name} one row to take a variance of; it must be at least 2.`,
    );
  }
}

/** Limits on what can be trained: parameters, memory and batch size. */
import { MakemoreError } from "../../src/errors";
import type { Layer } from "./layer";
import { elements, type Network } from "./network";

/** About 1 GB with AdamW's moments and the copies between threads. */
const MAX_PARAMETERS = 50_000_000;
/** Most numbers in all layers' outputs for one minibatch. Engines keep several such sets, 1 GB in all. */
const MAX_ACTIVATIONS = 1 << 26;

/**
 * Throws for what cannot be trained, before any memory is allocated.
 *
 * @param call the method that was called, for messages
 * @param longest for a network that reads words, the positions of the longest word. Default: the most it can read
 * @throws MakemoreError `INVALID_MODEL` for too many parameters, `INVALID_OPTION` for a batch that is too small for a
 *   BatchNorm1d or too large for the model
 */
export function checkTrainable(
  { example, contextLength, layers, parameters }: Network,
  batchSize: number,
  call: string,
  longest = contextLength,
): void {
  const total = parameters.reduce((sum, parameter) => sum + elements(parameter), 0);
  if (total > MAX_PARAMETERS) {
    const largest = parameters.reduce((a, b) => (elements(a) >= elements(b) ? a : b));
    throw new MakemoreError(
      "INVALID_MODEL",
      `${call}: the model has ${total} parameters, ${elements(largest)} of them in ${largest.name}; at most ${MAX_PARAMETERS} are possible.`,
    );
  }
  const numbers = activations(layers, example === "word" ? Math.min(longest, contextLength) : undefined);
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

/** Counts the numbers in the layers' outputs for one example, or for a word of `positions` if they read words. */
export function activations(layers: readonly Layer[], positions: number | undefined): number {
  return layers.reduce((sum, layer) => {
    const [length = 1, ...channels] = layer.outputShape;
    const rows = positions ?? length;
    const output = channels.reduce((a, b) => a * b, rows);
    return sum + output + (layer.scratch?.(rows) ?? 0) + activations(layer.layers ?? [], positions);
  }, 0);
}

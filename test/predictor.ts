/** Test that every engine's predictor must pass. */
import { expect } from "vitest";
import type { Predictor } from "../worker/engines/predictor";
import type { Checkpoint } from "../worker/training/checkpoint";
import { largestDifference } from "./pytorch";
import { Reference } from "./reference";

/** Number of contexts: more than any predictor computes in one pass. */
const CONTEXTS = 300;

/** Loads a model, and compares its logits with those of the float64 reference. */
export async function expectReferenceLogits(predictor: Predictor, checkpoint: Checkpoint): Promise<void> {
  const { network, parameters, recipe } = checkpoint;
  const { contextLength, vocabularySize } = network;
  const contexts = Array.from({ length: CONTEXTS }, (_, row) =>
    Array.from({ length: contextLength }, (_, i) =>
      i < (row * 5) % contextLength ? 0 : (row + i * i) % vocabularySize,
    ),
  );
  predictor.load(parameters);
  const logits: number[] = [];
  for (let i = 0; i < CONTEXTS; i += predictor.batchSize) {
    const part = Uint32Array.from(contexts.slice(i, i + predictor.batchSize).flat());
    logits.push(...(await predictor.predict(part, contextLength)));
  }
  const { optimizer } = recipe;
  const setup = { network, parameters, optimizer, stream: new Uint8Array(0), seed: 0, batchSize: 1 };
  // Float32 rounding over three levels, with logits up to about 10.
  expect(largestDifference(logits, new Reference(setup).logits(contexts))).toBeLessThan(1e-4);
}

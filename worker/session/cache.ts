/** What is cached: ONNX Runtime's graphs of the newest checkpoint, and what conditions look up in a list. */
import { inSlices, type Work } from "../../src/slices";
import { loadONNXRuntime } from "../assets";
import { type Dataset, type TokenStream, WordSet } from "../data/dataset";
import { NearWords } from "../data/nearWords";
import { Inference } from "../sampling/inference";
import type { Checkpoint } from "../training/checkpoint";

export class Cache {
  /** Runs the newest checkpoint that was asked for. */
  #inference: { readonly of: Checkpoint; readonly inference: Inference } | undefined;
  readonly #wordSets = new WeakMap<Dataset, Promise<WordSet[]>>();
  readonly #nearWords = new WeakMap<Dataset, Promise<NearWords[]>>();

  /** Sampling and scoring for a checkpoint; those for the checkpoint before are disposed of. */
  async inference(checkpoint: Checkpoint): Promise<Inference> {
    if (this.#inference?.of === checkpoint) return this.#inference.inference;
    const previous = this.#inference;
    const inference = new Inference(loadONNXRuntime, checkpoint);
    this.#inference = { of: checkpoint, inference };
    // A failed release does not concern the new checkpoint.
    await previous?.inference.dispose().catch(() => {});
    return inference;
  }

  /** Every word of the list, a set for each split. */
  wordSets(dataset: Dataset): Promise<WordSet[]> {
    return ofEachSplit(this.#wordSets, dataset, WordSet.work);
  }

  /** The same for `minDistance`. */
  nearWords(dataset: Dataset): Promise<NearWords[]> {
    return ofEachSplit(this.#nearWords, dataset, NearWords.work);
  }
}

function ofEachSplit<T>(
  cache: WeakMap<Dataset, Promise<T[]>>,
  dataset: Dataset,
  work: (stream: TokenStream, firstGroup: number) => Work<T>,
): Promise<T[]> {
  const { train, validation, test, vocabulary } = dataset;
  const cached = cache.get(dataset);
  if (cached) return cached;
  const made = Promise.all(
    [train, validation, test].map((stream) => inSlices(work(stream, vocabulary.firstGroup))),
  );
  cache.set(dataset, made);
  // A failure is not kept.
  made.catch(() => cache.delete(dataset));
  return made;
}

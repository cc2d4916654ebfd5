/** What is cached: ONNX Runtime's graphs of the newest checkpoint, and sets of words for `novel`. */
import { inSlices } from "../../src/slices";
import { loadONNXRuntime } from "../assets";
import { type Dataset, type TokenStream, WordSet } from "../data/dataset";
import { Inference } from "../sampling/inference";
import type { Checkpoint } from "../training/checkpoint";

export class Cache {
  /** Runs the newest checkpoint that was asked for. */
  #inference: { readonly of: Checkpoint; readonly inference: Inference } | undefined;
  readonly #wordSets = new WeakMap<Dataset, Promise<WordSet[]>>();

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
    const { train, validation, test, vocabulary } = dataset;
    const cached = this.#wordSets.get(dataset);
    if (cached) return cached;
    const work = (stream: TokenStream) => inSlices(WordSet.work(stream, vocabulary.firstGroup));
    const made = Promise.all([train, validation, test].map(work));
    this.#wordSets.set(dataset, made);
    return made;
  }
}

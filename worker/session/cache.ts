/** Caches ONNX Runtime's graphs of the newest checkpoint. */
import { loadONNXRuntime } from "../assets";
import { Inference } from "../sampling/inference";
import type { Checkpoint } from "../training/checkpoint";

export class Cache {
  /** Inference for the checkpoint that was requested last. */
  #inference: { readonly of: Checkpoint; readonly inference: Inference } | undefined;

  /** Returns the inference for a checkpoint, and disposes of the previous checkpoint's. */
  async inference(checkpoint: Checkpoint): Promise<Inference> {
    if (this.#inference?.of === checkpoint) return this.#inference.inference;
    const previous = this.#inference;
    const inference = new Inference(loadONNXRuntime, checkpoint);
    this.#inference = { of: checkpoint, inference };
    // Ignore a failed release: it does not affect the new checkpoint.
    await previous?.inference.dispose().catch(() => {});
    return inference;
  }
}

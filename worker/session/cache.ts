/** What is cached: ONNX Runtime's graphs of the newest checkpoint. */
import { loadONNXRuntime } from "../assets";
import { Inference } from "../sampling/inference";
import type { Checkpoint } from "../training/checkpoint";

export class Cache {
  /** Runs the newest checkpoint that was asked for. */
  #inference: { readonly of: Checkpoint; readonly inference: Inference } | undefined;

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
}

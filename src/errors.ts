/**
 * Every failure of the library is a `MakemoreError`: a stable `code` for programs, and a
 * message for people that names the offending value and what would be right.
 */
import type { SampleCondition } from "./types";

/**
 * What went wrong, for `switch`. The codes are stable across releases; the messages are not.
 *
 * - `INVALID_WORDS`: the words cannot be trained on, scored or evaluated.
 * - `INVALID_OPTION`: an option is unknown, of the wrong type or out of range.
 * - `INVALID_MODEL`: layers whose shapes do not fit, a model that is too large, or one that cannot do what a call asks of it.
 * - `INVALID_ONNX`: a file that is not ours, or is truncated or altered.
 * - `NO_MODEL`: nothing was trained or loaded yet.
 * - `NO_WORDS`: `resume`, `evaluate`, `novel` or `minDistance` after `load` needs the words.
 * - `NOT_SAVED`: no model is saved under that name.
 * - `STORAGE_FAILED`: the browser stores nothing here, or has no room left.
 * - `BUSY`: one training at a time.
 * - `DISPOSED`: the instance was disposed.
 * - `UNSUPPORTED`: nothing can train or run this model here, there is no page at all, the `Makemore` is
 *   wrapped in a proxy, or a later version of the package saved the model.
 * - `LOAD_FAILED`: a file of the package (worker, chunk, .wasm) did not arrive.
 * - `WORKER_FAILED`: the worker died, lacks memory, or threw something it should not have.
 * - `DIVERGED`: the loss is not a number any more; the model stays as it was shortly before.
 * - `SAMPLING_FAILED`: the conditions left fewer words than were asked for, or the model's numbers
 *   overflow. The error's `words` are those found before, and `condition` is the option that refused most tries.
 */
export type MakemoreErrorCode =
  | "INVALID_WORDS"
  | "INVALID_OPTION"
  | "INVALID_MODEL"
  | "INVALID_ONNX"
  | "NO_MODEL"
  | "NO_WORDS"
  | "NOT_SAVED"
  | "STORAGE_FAILED"
  | "BUSY"
  | "DISPOSED"
  | "UNSUPPORTED"
  | "LOAD_FAILED"
  | "WORKER_FAILED"
  | "DIVERGED"
  | "SAMPLING_FAILED";

/** The one error class of the library. */
export class MakemoreError extends Error {
  override readonly name = "MakemoreError";
  /** Of `SAMPLING_FAILED` from `sample`: the words that were found before it failed. */
  readonly words?: readonly string[] | undefined;
  /**
   * Of `SAMPLING_FAILED`: the option that refused most of the tries after the last word that was found. Undefined if
   * the model's numbers overflow, or if its words are not in the form of the list's (trimmed, in NFC).
   */
  readonly condition?: SampleCondition | undefined;

  /**
   * @param code what went wrong, stable across releases
   * @param message what was wrong, with the offending value, and what would be right
   */
  constructor(
    readonly code: MakemoreErrorCode,
    message: string,
    options?: ErrorOptions & {
      words?: readonly string[] | undefined;
      condition?: SampleCondition | undefined;
    },
  ) {
    super(message, options);
    this.words = options?.words;
    this.condition = options?.condition;
  }
}

/** The fix for a file of the package that did not arrive. */
export const SERVE_TOGETHER = "Serve the package's files together, or set assetsURL to their folder.";

/** The error of a call of which a message did not arrive, in either direction. */
export function lostMessage(): MakemoreError {
  return new MakemoreError("WORKER_FAILED", "A message was lost; the browser may lack memory.");
}
